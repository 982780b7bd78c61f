//! Signed notes (c2sp.org/signed-note): a text, a blank line, signature lines. Ed25519 (RFC 8032) by `ring`.
//!
//! ```text
//! key id        first 4 bytes of SHA-256(name || 0x0A || 0x01 || public key)
//! public key    <name>+<key id, 8 hexadecimal digits>+<base64 of 0x01 || 32 bytes>
//! signing key   PRIVATE+KEY+<name>+<key id>+<base64 of 0x01 || 32 bytes of seed>
//! signature     "— " <name> " " <base64 of key id || 64 bytes> newline
//! ```
//!
//! Both spellings of keys are those of the Go module `sumdb/note`, so its tools sign and check these too.

use crate::fault::ProofFault;
use crate::text::{base64, from_base64};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

/// Signatures of one note.
pub const SIGNATURES_MAX: usize = 16;
const ED25519_KIND: u8 = 1;
const SIGNATURE_BYTES: usize = 64;
const PRIVATE: &str = "PRIVATE+KEY+";

/// The number of a key, told beside its name.
type KeyId = [u8; 4];

fn key_id(name: &str, public: &[u8; 32]) -> KeyId {
    let digest =
        Sha256::new().chain_update(name).chain_update([b'\n', ED25519_KIND]).chain_update(public).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn hex(id: KeyId) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// Names are non-empty and without blanks, pluses and control characters; ours are short.
fn is_name(name: &str) -> bool {
    let fits = |character: char| !character.is_whitespace() && !character.is_control() && character != '+';
    !name.is_empty() && name.len() <= 200 && name.chars().all(fits)
}

/// Name, id and the 32 bytes of a key as it is written.
fn parse_key(text: &str) -> Option<(&str, &str, [u8; 32])> {
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let [kind, key @ ..] = from_base64::<33>(key)?;
    (kind == ED25519_KIND && is_name(name)).then_some((name, id, key))
}

fn with_kind(key: &[u8; 32]) -> String {
    let mut bytes = [ED25519_KIND; 33];
    bytes[1..].copy_from_slice(key);
    base64(&bytes)
}

/// What checks signatures; may be given to anyone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    name: String,
    key: [u8; 32],
}

impl PublicKey {
    /// Reads `<name>+<id>+<base64>`; blanks and a newline around it are passed over.
    ///
    /// # Errors
    /// [`ProofFault::Key`].
    pub fn parse(text: &str) -> Result<Self, ProofFault> {
        let text = text.trim();
        if text.starts_with(PRIVATE) {
            return Err(ProofFault::Key {
                what: "it is the private one; give the public key, and keep this one secret",
            });
        }
        let what = "a public key is written <name>+<id>+<base64>, on one line";
        let (name, id, key) = parse_key(text).ok_or(ProofFault::Key { what })?;
        if id != hex(key_id(name, &key)) {
            return Err(ProofFault::Key { what: "its id is not that of its name and bytes: it was changed" });
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> KeyId {
        key_id(&self.name, &self.key)
    }

    /// Name and id, for people.
    fn label(&self) -> String {
        format!("{}+{}", self.name, hex(self.id()))
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{}", self.label(), with_kind(&self.key))
    }
}

/// What signs; the operator's own file, never in the books.
pub struct SigningKey {
    public: PublicKey,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// A new key from the system's random numbers. `name` says whose it is, such as `ledger.bank.example/retail`.
    ///
    /// # Errors
    /// [`ProofFault::Key`], where the name cannot be one or the system has no random numbers.
    pub fn generate(name: &str) -> Result<Self, ProofFault> {
        let mut seed = [0; 32];
        let filled = SystemRandom::new().fill(&mut seed);
        filled.map_err(|_| ProofFault::Key { what: "the system gives no random numbers" })?;
        Self::from_seed(name, seed)
    }

    /// The key that a seed stands for.
    ///
    /// # Errors
    /// [`ProofFault::Key`], where the name cannot be one.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, ProofFault> {
        if !is_name(name) {
            return Err(ProofFault::Key { what: "a name is 1 to 200 bytes without blanks and pluses" });
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| ProofFault::Key { what: "its seed is none" })?;
        let key = pair.public_key().as_ref().try_into();
        let key = key.map_err(|_| ProofFault::Key { what: "its public key has not 32 bytes" })?;
        Ok(Self { public: PublicKey { name: name.to_owned(), key }, seed, pair })
    }

    /// Reads `PRIVATE+KEY+<name>+<id>+<base64>`.
    ///
    /// # Errors
    /// [`ProofFault::Key`].
    pub fn parse(text: &str) -> Result<Self, ProofFault> {
        let what = "a signing key is written PRIVATE+KEY+<name>+<id>+<base64>, on one line";
        let rest = text.trim().strip_prefix(PRIVATE);
        let (name, id, seed) = rest.and_then(parse_key).ok_or(ProofFault::Key { what })?;
        let key = Self::from_seed(name, seed)?;
        if id != hex(key.public.id()) {
            return Err(ProofFault::Key { what: "its id is not that of its name and bytes: it was changed" });
        }
        Ok(key)
    }

    /// The text to keep, in a file that only the signer reads.
    pub fn to_secret_text(&self) -> String {
        format!("{PRIVATE}{}+{}", self.public.label(), with_kind(&self.seed))
    }

    /// What others check with.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signed note of a text that ends with a newline.
    ///
    /// # Panics
    /// Where it does not.
    pub fn sign(&self, text: &str) -> String {
        assert!(text.ends_with('\n'), "a note's text ends with a newline");
        let mut signature = Vec::with_capacity(4 + SIGNATURE_BYTES);
        signature.extend_from_slice(&self.public.id());
        signature.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n— {} {}\n", self.public.name, base64(&signature))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public.label())
    }
}

struct Signature<'a> {
    name: &'a str,
    id: KeyId,
    bytes: Vec<u8>,
}

fn parse_signature(line: &str) -> Option<Signature<'_>> {
    let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, signature).ok()?;
    let (id, bytes) = bytes.split_first_chunk::<4>()?;
    is_name(name).then(|| Signature { name, id: *id, bytes: bytes.to_vec() })
}

/// The text of a note that the key has signed.
///
/// `first_line` is where the note begins in its file, for faults.
///
/// # Errors
/// [`ProofFault::Malformed`], [`ProofFault::OtherKey`], [`ProofFault::Signature`].
pub fn open<'a>(note: &'a str, first_line: usize, key: &PublicKey) -> Result<&'a str, ProofFault> {
    let malformed = |line, what| ProofFault::Malformed { line, what };
    let line_of = |at: usize| first_line + note[..at].matches('\n').count();
    if let Some(at) = note.find(|character: char| character.is_ascii_control() && character != '\n') {
        return Err(malformed(line_of(at), "text without control characters"));
    }
    let blank = note.rfind("\n\n");
    let blank = blank.ok_or(malformed(line_of(note.len()), "a blank line, then signatures"))?;
    let (text, lines) = (&note[..=blank], &note[blank + 2..]);
    let first = line_of(blank + 2);
    if !lines.ends_with('\n') || lines.lines().count() > SIGNATURES_MAX {
        return Err(malformed(first, "1 to 16 signature lines, each with its newline"));
    }
    let mut signatures = Vec::new();
    for (line, number) in lines.lines().zip(first..) {
        signatures.push(parse_signature(line).ok_or(malformed(number, "a signature, `— name base64`"))?);
    }
    let is_ours = |signature: &&Signature<'_>| signature.name == key.name && signature.id == key.id();
    let mut ours = signatures.iter().filter(is_ours);
    let Some(signature) = ours.next() else {
        let found = signatures.iter().map(|signature| format!("{}+{}", signature.name, hex(signature.id)));
        let found = found.collect::<Vec<_>>().join(", ");
        return Err(ProofFault::OtherKey { wanted: key.label(), found });
    };
    if ours.next().is_some() {
        return Err(malformed(first, "one signature of the key, not two"));
    }
    let holds = UnparsedPublicKey::new(&ED25519, &key.key).verify(text.as_bytes(), &signature.bytes);
    holds.map_err(|_| ProofFault::Signature { name: key.name.clone() })?;
    Ok(text)
}
