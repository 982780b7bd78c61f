//! One line of a script, cut into words and `key=value` options. Every word and option must be used by someone, so
//! that a misspelt one is an error and not a silent nothing.

/// A line of a script.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    plain: Vec<&'a str>,
    next: usize,
    options: Vec<(&'a str, &'a str, bool)>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(line: &'a str) -> Self {
        let mut plain = Vec::new();
        let mut options = Vec::new();
        for word in line.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) => options.push((key, value, false)),
                None => plain.push(word),
            }
        }
        Self { plain, next: 0, options }
    }

    /// The next plain word, or what is missing.
    pub(crate) fn word(&mut self, what: &str) -> Result<&'a str, String> {
        self.word_if_any().ok_or_else(|| format!("{what} is missing"))
    }

    /// The next plain word, if there is one.
    pub(crate) fn word_if_any(&mut self) -> Option<&'a str> {
        let word = self.plain.get(self.next).copied();
        self.next += usize::from(word.is_some());
        word
    }

    /// The next plain word, if it is one of these.
    pub(crate) fn word_if_any_of(&mut self, wanted: &[&str]) -> Option<&'a str> {
        let word = self.plain.get(self.next).copied().filter(|word| wanted.contains(word));
        self.next += usize::from(word.is_some());
        word
    }

    /// The options that nobody has asked for yet, in the order written.
    pub(crate) fn unused_options(&mut self) -> Vec<(&'a str, &'a str)> {
        let unused = self.options.iter_mut().filter(|(_, _, used)| !*used);
        unused
            .map(|option| {
                option.2 = true;
                (option.0, option.1)
            })
            .collect()
    }

    /// Uses up the next plain word if it is this one.
    pub(crate) fn takes(&mut self, word: &str) -> bool {
        let found = self.plain.get(self.next) == Some(&word);
        self.next += usize::from(found);
        found
    }

    /// All plain words that are left, as one name: "card-1 post".
    pub(crate) fn rest(&mut self) -> String {
        let rest = self.plain[self.next..].join(" ");
        self.next = self.plain.len();
        rest
    }

    /// The value of an option, if it is given.
    pub(crate) fn option(&mut self, key: &str) -> Option<&'a str> {
        let option = self.options.iter_mut().find(|(name, _, _)| *name == key)?;
        option.2 = true;
        Some(option.1)
    }

    /// The value of an option as a number, if it is given.
    pub(crate) fn number<T: std::str::FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        self.option(key)
            .map(|text| text.parse().map_err(|_| format!("{key}={text} is no number in range")))
            .transpose()
    }

    /// Whether the option says `yes`.
    pub(crate) fn says_yes(&mut self, key: &str) -> Result<bool, String> {
        match self.option(key) {
            None | Some("no") => Ok(false),
            Some("yes") => Ok(true),
            Some(other) => Err(format!("{key}={other} is neither yes nor no")),
        }
    }

    /// All options at once, in the order written.
    pub(crate) fn all_options(&mut self) -> Vec<(&'a str, &'a str)> {
        for option in &mut self.options {
            option.2 = true;
        }
        self.options.iter().map(|(key, value, _)| (*key, *value)).collect()
    }

    /// Complains of whatever nobody asked for.
    pub(crate) fn done(self) -> Result<(), String> {
        if let Some(word) = self.plain.get(self.next) {
            return Err(format!("`{word}` has no meaning here"));
        }
        match self.options.iter().find(|(_, _, used)| !used) {
            Some((key, value, _)) => Err(format!("`{key}={value}` has no meaning here")),
            None => Ok(()),
        }
    }
}
