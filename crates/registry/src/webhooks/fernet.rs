//! Secrets as MLflow stores them: Fernet tokens (github.com/fernet/spec), so that either server reads what the other wrote.
//!
//! A token is base64 of `0x80`, the time in seconds, an initialization vector, the text under AES-128 in CBC mode with
//! PKCS7 padding, and an HMAC-SHA256 over all of that. The first half of a key signs, the second encrypts. Tokens have no
//! age limit here, as in MLflow: they are stored, not sent.

use aes::Aes128;
use base64::{Engine as _, engine::general_purpose::URL_SAFE};
use cbc::{
    Decryptor, Encryptor,
    cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use types::{Secret, Timestamp};

/// What a token begins with.
const VERSION: u8 = 0x80;
/// Bytes of each half of a key, and of an initialization vector.
const HALF: usize = 16;
/// Bytes before the ciphertext: version, time, initialization vector.
const HEAD: usize = 1 + 8 + HALF;
/// Bytes of the HMAC.
const SIGNATURE: usize = 32;
/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// The key of webhooks' secrets.
#[derive(Debug, Clone)]
pub struct Key(Secret<[u8; 2 * HALF]>);

/// What is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key of webhooks' secrets is 32 bytes in URL-safe base64, as `Fernet.generate_key()` makes them")]
pub struct InvalidKey;

impl Key {
    /// Reads a key as MLflow's `MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY` has it.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let bytes = URL_SAFE.decode(text.trim()).map_err(|_| InvalidKey)?;
        Ok(Self(Secret::new(bytes.try_into().map_err(|_| InvalidKey)?)))
    }

    /// A new key.
    ///
    /// # Panics
    /// When the operating system gives no random bytes.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 2 * HALF];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        Self(Secret::new(bytes))
    }

    /// The key as [`Key::parse`] reads it.
    #[must_use]
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(URL_SAFE.encode(self.0.expose()))
    }

    /// `text` as a token, made at `now`.
    pub(super) fn encrypt(&self, text: &str, now: Timestamp) -> String {
        let mut iv = [0; HALF];
        getrandom::fill(&mut iv).expect("the operating system gives random bytes");
        self.encrypt_with(text, now, iv)
    }

    fn encrypt_with(&self, text: &str, now: Timestamp, iv: [u8; HALF]) -> String {
        let (signs, encrypts) = self.0.expose().split_at(HALF);
        let mut token = vec![VERSION];
        token.extend((now.as_micros() / MICROS).to_be_bytes());
        token.extend(iv);
        let cipher = Encryptor::<Aes128>::new_from_slices(encrypts, &iv).expect("half a key and a vector fit AES-128");
        token.extend(cipher.encrypt_padded_vec::<Pkcs7>(text.as_bytes()));
        let signature = hmac(signs, &token);
        token.extend(signature.finalize().into_bytes());
        URL_SAFE.encode(token)
    }

    /// The text of a token; `None` if it was made with another key, or is none.
    pub(super) fn decrypt(&self, token: &str) -> Option<Secret<String>> {
        let token = URL_SAFE.decode(token).ok()?;
        let (signs, encrypts) = self.0.expose().split_at(HALF);
        let (signed, signature) = token.split_at_checked(token.len().checked_sub(SIGNATURE)?)?;
        let (head, text) = signed.split_at_checked(HEAD)?;
        if head[0] != VERSION {
            return None;
        }
        hmac(signs, signed).verify_slice(signature).ok()?;
        let cipher = Decryptor::<Aes128>::new_from_slices(encrypts, &head[HEAD - HALF..]).ok()?;
        let text = cipher.decrypt_padded_vec::<Pkcs7>(text).ok()?;
        String::from_utf8(text).ok().map(Secret::new)
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.update(message);
    hmac
}

/// The base64 of an HMAC-SHA256, as signatures have it.
pub(super) fn sign(secret: &Secret<String>, message: &str) -> String {
    let signature = hmac(secret.expose().as_bytes(), message.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(signature.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification (`generate.json`, `verify.json`).
    const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const TOKEN: &str =
        "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

    #[test]
    fn tokens_are_those_of_the_specification() {
        let key = Key::parse(KEY).unwrap();
        let iv = std::array::from_fn(|index| u8::try_from(index).unwrap());
        assert_eq!(key.encrypt_with("hello", Timestamp::from_micros(499_162_800 * MICROS), iv), TOKEN);
        assert_eq!(key.decrypt(TOKEN).unwrap().expose(), "hello");
        assert_eq!(key.to_text().expose(), KEY);
    }

    #[test]
    fn another_key_or_a_changed_byte_reads_nothing() {
        let key = Key::generate();
        let token = key.encrypt("säcret", Timestamp::from_micros(0));
        assert_eq!(key.decrypt(&token).unwrap().expose(), "säcret");
        assert!(Key::generate().decrypt(&token).is_none());
        let bytes = URL_SAFE.decode(&token).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert!(key.decrypt(&URL_SAFE.encode(&changed)).is_none(), "byte {index}");
            assert!(key.decrypt(&URL_SAFE.encode(&bytes[..index])).is_none(), "the first {index}");
        }
        assert!(key.decrypt("").is_none() && Key::parse("short").is_err());
        assert!(!format!("{key:?}").contains(key.to_text().expose()));
    }
}
