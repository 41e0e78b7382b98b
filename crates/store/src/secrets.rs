//! Secrets at rest: upstream keys are sealed with XChaCha20-Poly1305, the row they belong to as associated data, so that a
//! sealed key cannot be moved to another row. API keys are not kept at all, only their hashes.

use std::{io::Write as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;

const NONCE_BYTES: usize = 24;
/// What every API key begins with, so that it is recognised where it should not be.
pub(crate) const API_KEY_MARK: &str = "il_";
const API_KEY_RANDOM_BYTES: usize = 20;
const API_KEY_CHECKSUM_BYTES: usize = 4;

/// The key that seals what is secret in the database.
#[derive(Clone)]
pub struct MasterKey {
    cipher: XChaCha20Poly1305,
}

impl MasterKey {
    /// Reads a key of 32 bytes in base64.
    pub fn from_base64(text: &str) -> Result<Self, StoreError> {
        let bytes = STANDARD.decode(text.trim()).ok();
        let cipher = bytes.and_then(|b| XChaCha20Poly1305::new_from_slice(&b).ok());
        let cipher = cipher.ok_or_else(|| StoreError::MasterKey("it must be 32 bytes in base64".to_owned()))?;
        Ok(Self { cipher })
    }

    /// Reads the key file, or makes one that only its owner can read.
    pub fn load_or_create(file: &Path) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::File(format!("key file {}: {error}", file.display()));
        match std::fs::read_to_string(file) {
            Ok(text) => return Self::from_base64(&text),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            Err(_) => {}
        }
        let text = new_master_key();
        // Written whole and only then named, so that no other process reads half a key; whoever links first wins.
        let draft = file.with_extension(format!("key.{}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options
            .open(&draft)
            .and_then(|mut f| f.write_all(format!("{text}\n").as_bytes()).and_then(|()| f.sync_all()));
        let linked = written.and_then(|()| std::fs::hard_link(&draft, file));
        let _ = std::fs::remove_file(&draft);
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Self::from_base64(&std::fs::read_to_string(file).map_err(failed)?),
        }
    }

    /// Seals `secret` for the row `row`.
    pub fn seal(&self, row: &str, secret: &SecretString) -> Result<String, StoreError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: row.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| StoreError::MasterKey("sealing failed".to_owned()))?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for the row `row`.
    pub fn open(&self, row: &str, sealed: &str) -> Result<SecretString, StoreError> {
        let wrong = || StoreError::MasterKey(format!("the secret of {row} was sealed with another key"));
        let bytes = STANDARD.decode(sealed).map_err(|_| wrong())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or_else(wrong)?;
        let payload = Payload { msg: sealed, aad: row.as_bytes() };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| wrong())?;
        String::from_utf8(opened).map(SecretString::from).map_err(|_| wrong())
    }
}

/// A new master key: 32 random bytes in base64.
pub fn new_master_key() -> String {
    STANDARD.encode(rand::random::<[u8; 32]>())
}

/// A new API key: a mark, 160 random bits and a checksum that tells a mistyped key from an unknown one.
pub(crate) fn new_api_key() -> SecretString {
    let random = hex::encode(rand::random::<[u8; API_KEY_RANDOM_BYTES]>());
    format!("{API_KEY_MARK}{random}{}", checksum(&random)).into()
}

/// Whether a text has the form of an API key; saves the database from what cannot be one.
pub(crate) fn looks_like_api_key(text: &str) -> bool {
    let body = text.strip_prefix(API_KEY_MARK).and_then(|b| b.split_at_checked(API_KEY_RANDOM_BYTES * 2));
    body.is_some_and(|(random, sum)| sum == checksum(random))
}

/// What is stored of an API key.
pub(crate) fn api_key_hash(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

/// What is shown of an API key.
pub(crate) fn api_key_prefix(key: &str) -> String {
    key.chars().take(API_KEY_MARK.len() + 6).collect()
}

fn checksum(random: &str) -> String {
    hex::encode(&Sha256::digest(random.as_bytes())[..API_KEY_CHECKSUM_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_key_opens_only_with_its_key_and_in_its_row() {
        let (one, other) = (new_master_key(), new_master_key());
        let (one, other) = (MasterKey::from_base64(&one).unwrap(), MasterKey::from_base64(&other).unwrap());
        let sealed = one.seal("upstreams/alpha/key", &"s3cret".to_owned().into()).unwrap();
        assert!(!sealed.contains("s3cret"));
        assert_eq!(one.open("upstreams/alpha/key", &sealed).unwrap().expose_secret(), "s3cret");
        assert!(one.open("upstreams/beta/key", &sealed).is_err());
        assert!(other.open("upstreams/alpha/key", &sealed).is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("interline.key");
        let sealed = MasterKey::load_or_create(&file).unwrap().seal("r", &"x".to_owned().into()).unwrap();
        assert_eq!(MasterKey::load_or_create(&file).unwrap().open("r", &sealed).unwrap().expose_secret(), "x");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&file, "not a key").unwrap();
        assert!(MasterKey::load_or_create(&file).is_err());
    }

    #[test]
    fn an_api_key_carries_its_checksum() {
        let key = new_api_key();
        let key = key.expose_secret();
        assert!(looks_like_api_key(key));
        let mistyped = key.replace(|c: char| c.is_ascii_digit(), "a");
        assert!(!looks_like_api_key(&mistyped) || mistyped == key);
        for bad in ["", "il_", "il_ü", "0123456789abcdef0123456789abcdef"] {
            assert!(!looks_like_api_key(bad), "{bad}");
        }
    }
}
