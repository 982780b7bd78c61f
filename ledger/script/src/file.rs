//! The file of a script: acts of lines and blessed answers.
//!
//! ```text
//! # Comments stand on lines of their own.
//! open Bank:Cash CNY overdraft=yes
//! balance Bank:Cash
//! ---
//! Bank:Cash  posted 0.00  pending 0.00
//! audit: CNY debits 0.00 = credits 0.00
//! ===
//! # the next act, on the same books
//! ```

/// Some lines and the answers that they must give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Act {
    /// The lines as written, comments and all.
    pub(crate) lines: Vec<String>,
    /// The number of the first of them within the file, from 1.
    pub(crate) first_line: usize,
    /// The blessed answers.
    pub(crate) answers: Vec<String>,
}

/// Cuts a file into its acts.
pub(crate) fn read(text: &str) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut act = Act { lines: Vec::new(), first_line: 1, answers: Vec::new() };
    let mut answering = false;
    for (index, line) in text.lines().enumerate() {
        match line.trim_end() {
            "===" => {
                let next = Act { lines: Vec::new(), first_line: index + 2, answers: Vec::new() };
                acts.push(std::mem::replace(&mut act, next));
                answering = false;
            }
            "---" => answering = true,
            line if answering => act.answers.push(line.to_owned()),
            line => act.lines.push(line.to_owned()),
        }
    }
    acts.push(act);
    acts
}

/// Puts a file together again, with these answers.
pub(crate) fn write(acts: &[Act], answers: &[Vec<String>]) -> String {
    let blocks: Vec<String> = acts
        .iter()
        .zip(answers)
        .map(|(act, answers)| {
            let mut lines = act.lines.clone();
            lines.push("---".to_owned());
            lines.extend_from_slice(answers);
            lines.join("\n")
        })
        .collect();
    format!("{}\n", blocks.join("\n===\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let text = "# one\nday 2026-01-01\n---\nyes\n===\nwait 5s\n---\nno\nmaybe\n";
        let acts = read(text);
        assert_eq!(acts.iter().map(|act| act.first_line).collect::<Vec<_>>(), [1, 6]);
        let answers: Vec<_> = acts.iter().map(|act| act.answers.clone()).collect();
        assert_eq!(write(&acts, &answers), text);
    }
}
