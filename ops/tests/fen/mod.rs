//! Drives the built binary, as a shell or another program would.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

/// `fen` with these arguments, not yet started.
pub(crate) fn fen(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fen"));
    command.args(arguments);
    command
}

/// Runs `fen` to its end, with `input` on standard input.
pub(crate) fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = fen(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the binary ends");
    // A command that ends early closes its input; that is its right.
    drop(writer.join().expect("the writer ends"));
    output
}

/// Standard output as text.
pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Standard error as text.
pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// The exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("not killed")
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A session with `fen exec`: one command, one reply, as a client would.
pub(crate) struct Session {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Session {
    /// Starts `fen exec` with these further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = fen(&["exec"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, stdin, stdout }
    }

    /// Sends one line and waits for its reply; `None` when the process has gone.
    pub(crate) fn try_ask(&mut self, line: &str) -> Option<String> {
        let stdin = self.stdin.as_mut().expect("not ended");
        stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n")).ok()?;
        stdin.flush().ok()?;
        let mut reply = String::new();
        self.stdout.read_line(&mut reply).ok()?;
        reply.ends_with('\n').then(|| reply.trim_end().to_owned())
    }

    /// Sends one line and reads its reply as JSON.
    pub(crate) fn ask(&mut self, line: &str) -> serde_json::Value {
        let reply = self.try_ask(line).expect("a reply");
        serde_json::from_str(&reply).expect("JSON")
    }

    /// Ends the input and gives the exit code.
    pub(crate) fn end(mut self) -> i32 {
        drop(self.stdin.take());
        self.child.wait().expect("the binary ends").code().expect("not killed")
    }
}
