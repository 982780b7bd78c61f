//! A PostgreSQL server of this run's own: found, made, started with stated settings, and gone with the run.
//!
//! **Invariants.** It listens on a socket in a directory of its own, never on the network; it is durable (`fsync`,
//! `synchronous_commit` and `full_page_writes` are on); it is stopped by its own process id. It never runs as root:
//! started by root, it gets the user that Debian's package makes for it.

use crate::fault::{Fault, Run};
use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How the server is set; printed with every result.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("shared_buffers", "4GB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "15min"),
    ("max_connections", "100"),
    ("work_mem", "64MB"),
    ("jit", "off"),
];

/// How long it may take to be there.
const START_MAX: Duration = Duration::from_mins(1);

/// Where Debian's packages put each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder with `initdb` and `postgres`: that of `$PATH`, else the newest of Debian's packages.
pub(crate) fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    let packaged = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut packaged: Vec<PathBuf> = packaged.collect();
    packaged.sort_by_key(|path| {
        path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u32>().ok())
    });
    let packaged = packaged.into_iter().rev().map(|path| path.join("bin"));
    on_path
        .into_iter()
        .chain(packaged)
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    socket: TempDir,
    user: String,
    /// What it calls itself.
    pub(crate) version: String,
}

/// A user by the system's list.
#[derive(Clone, Debug)]
struct User {
    name: String,
    ids: Option<(u32, u32)>,
}

/// Who the server runs as: whoever runs this, unless that is root.
fn user() -> Run<User> {
    if !rustix::process::geteuid().is_root() {
        let name = std::env::var("USER").unwrap_or_else(|_| "bank".to_owned());
        return Ok(User { name, ids: None });
    }
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = list.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some("postgres")).then_some(())?;
        Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    let ids = found.ok_or_else(|| {
        Fault::Server(
            "PostgreSQL refuses to run as root and there is no user `postgres`; run this as another user"
                .to_owned(),
        )
    })?;
    Ok(User { name: "postgres".to_owned(), ids: Some(ids) })
}

impl User {
    fn run(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }

    fn own(&self, folder: &Path) -> Run<()> {
        if let Some((user, group)) = self.ids {
            chown(folder, Some(user), Some(group)).map_err(|error| {
                Fault::Server(format!("{}: cannot be given away: {error}", folder.display()))
            })?;
        }
        Ok(())
    }
}

impl Server {
    /// Makes a database in `place`, which must be an empty directory, and starts it.
    ///
    /// # Errors
    /// The server's own words where it does not start.
    pub(crate) fn start(programs: &Path, place: &Path) -> Run<Self> {
        let user = user()?;
        user.own(place)?;
        // A socket's path is short by law (107 bytes).
        let socket = tempfile::Builder::new()
            .prefix("fen-compare-")
            .tempdir()
            .map_err(|error| Fault::Server(format!("no place for a socket: {error}")))?;
        user.own(socket.path())?;
        let made = user
            .run(&programs.join("initdb"))
            .current_dir(place)
            .arg("--pgdata")
            .arg(place)
            .args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--username=bank"])
            .output()
            .map_err(|error| Fault::Server(format!("initdb: {error}")))?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(Fault::Server(format!("initdb: {}", said.trim())));
        }
        let mut command = user.run(&programs.join("postgres"));
        command.current_dir(place).arg("-D").arg(place).stderr(Stdio::null());
        command.arg("-c").arg(format!("unix_socket_directories={}", socket.path().display()));
        for (name, value) in SETTINGS {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let process = command.spawn().map_err(|error| Fault::Server(format!("postgres: {error}")))?;
        let mut server = Self { process, socket, user: user.name, version: String::new() };
        server.version = server.wait()?;
        Ok(server)
    }

    /// Waits until it answers, and asks for its name.
    fn wait(&mut self) -> Run<String> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if let Some(status) = self.process.try_wait().map_err(|error| Fault::Server(error.to_string()))? {
                return Err(Fault::Server(format!("postgres, as user {}: ended with {status}", self.user)));
            }
            match self.connect() {
                Ok(mut client) => return Ok(client.query_one("show server_version", &[])?.get(0)),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// A connection.
    ///
    /// # Errors
    /// It is not there.
    pub(crate) fn connect(&self) -> Run<Client> {
        Ok(Config::new().host_path(self.socket.path()).user("bank").dbname("postgres").connect(NoTls)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // "Fast shutdown": sessions are cut, what is committed is kept.
        if let Ok(id) = i32::try_from(self.process.id())
            && let Some(id) = Pid::from_raw(id)
        {
            let _ = kill_process(id, Signal::INT);
        }
        let _ = self.process.wait();
    }
}
