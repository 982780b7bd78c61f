//! `fen proof key`: a new pair of keys.

use crate::exit::{Exit, Failure, say};
use clap::Args;
use fen_proof::SigningKey;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Makes a key to sign digests with, and the public key that others check them with.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen proof key --name ledger.bank.example/retail --out retail.key

Writes retail.key, which only its owner may read (keep it off the ledger's machine or in a safe place), and
retail.key.pub, which may be given to anyone. Existing files are never overwritten.")]
pub(super) struct Arguments {
    /// Whose digests it signs: a name that is the bank's own, such as a host and a path.
    #[arg(long)]
    name: String,
    /// The file for the signing key; the public one gets `.pub` behind it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let key =
        SigningKey::generate(&arguments.name).map_err(|fault| Failure::usage(format!("--name: {fault}")))?;
    let mut public_path = arguments.out.clone().into_os_string();
    public_path.push(".pub");
    let public_path = PathBuf::from(public_path);
    let public = key.public().to_string();
    create(&public_path, &public, 0o644)?;
    create(&arguments.out, &key.to_secret_text(), 0o600)?;
    if json {
        let (signing, file) = (arguments.out.display().to_string(), public_path.display().to_string());
        super::say_json(&serde_json::json!({
            "signing_key_file": signing, "public_key_file": file, "public_key": public,
        }))?;
    } else {
        say(&format!("{public}\n"))?;
    }
    Ok(Exit::Done)
}

fn create(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let failure = |error: std::io::Error| {
        Failure::unreachable(format!("{}: {error}", path.display()))
            .mend("name a new file that can be written")
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failure)?;
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failure)?;
    file.sync_all().map_err(failure)
}
