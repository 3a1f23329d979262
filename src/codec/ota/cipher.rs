//! Block ciphers with their keys expanded once: CBC with a zero initial value, and the checksum of each family.

use super::Algorithm;
use crate::types::{Invalid, Secret};
use cbc::cipher::consts::{U8, U16};
use cbc::cipher::{
    Array, Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser,
    InnerIvInit, KeyInit,
};
use cmac::{Cmac, Mac, digest::common::InnerInit};
use std::sync::Arc;

/// An expanded key. Callers hand over whole blocks; octets after the last whole block stay as they are.
pub(super) trait BlockKey: Send + Sync {
    fn block_size(&self) -> usize;
    fn is_aes(&self) -> bool;
    /// CBC, initial value zero (TS 102 225 5.1.2).
    fn encrypt(&self, blocks: &mut [u8]);
    fn decrypt(&self, blocks: &mut [u8]);
    /// The first 8 octets of the CC over the concatenation of `parts` (TS 102 225 5.1.3).
    fn checksum(&self, parts: &[&[u8]]) -> [u8; 8];
}

/// Expands `key` for the named algorithm.
pub(super) fn prepare(what: &'static str, algorithm: Algorithm, key: &Secret) -> Result<Arc<dyn BlockKey>, Invalid> {
    let prepared = match (algorithm, key.len()) {
        (Algorithm::Aes, 16) => aes::<aes::Aes128>(key),
        (Algorithm::Aes, 24) => aes::<aes::Aes192>(key),
        (Algorithm::Aes, 32) => aes::<aes::Aes256>(key),
        (Algorithm::Des, 8) => des::<des::Des>(key),
        (Algorithm::TripleDes2, 16) => des::<des::TdesEde2>(key),
        (Algorithm::TripleDes3, 24) => des::<des::TdesEde3>(key),
        (Algorithm::Aes | Algorithm::Des | Algorithm::TripleDes2 | Algorithm::TripleDes3, found) => {
            return Err(Invalid::new(what, format!("a key of {found} octets does not fit {algorithm}")));
        }
        _ => return Err(Invalid::new(what, format!("algorithm {algorithm} is not supported"))),
    };
    prepared.ok_or_else(|| Invalid::new(what, "the key does not fit its algorithm"))
}

fn aes<C>(key: &Secret) -> Option<Arc<dyn BlockKey>>
where
    C: KeyInit + BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + Send + Sync + 'static,
{
    let cipher = C::new_from_slice(key.expose()).ok()?;
    Some(Arc::new(AesFamily(cipher)))
}

fn des<C>(key: &Secret) -> Option<Arc<dyn BlockKey>>
where
    C: KeyInit + BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U8> + Send + Sync + 'static,
{
    let cipher = C::new_from_slice(key.expose()).ok()?;
    Some(Arc::new(DesFamily(cipher)))
}

struct AesFamily<C>(C);

struct DesFamily<C>(C);

fn cbc_encrypt<C: BlockCipherEncrypt>(cipher: &C, octets: &mut [u8]) {
    let (blocks, _) = Block::<C>::slice_as_chunks_mut(octets);
    cbc::Encryptor::inner_iv_init(cipher, &Array::default()).encrypt_blocks(blocks);
}

fn cbc_decrypt<C: BlockCipherDecrypt>(cipher: &C, octets: &mut [u8]) {
    let (blocks, _) = Block::<C>::slice_as_chunks_mut(octets);
    cbc::Decryptor::inner_iv_init(cipher, &Array::default()).decrypt_blocks(blocks);
}

impl<C> BlockKey for AesFamily<C>
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn block_size(&self) -> usize {
        16
    }

    fn is_aes(&self) -> bool {
        true
    }

    fn encrypt(&self, blocks: &mut [u8]) {
        cbc_encrypt(&self.0, blocks);
    }

    fn decrypt(&self, blocks: &mut [u8]) {
        cbc_decrypt(&self.0, blocks);
    }

    /// RFC 4493, truncated to the leading octets.
    fn checksum(&self, parts: &[&[u8]]) -> [u8; 8] {
        let mut mac = Cmac::inner_init(&self.0);
        for part in parts {
            mac.update(part);
        }
        leading(&mac.finalize().into_bytes())
    }
}

impl<C> BlockKey for DesFamily<C>
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U8> + Send + Sync,
{
    fn block_size(&self) -> usize {
        8
    }

    fn is_aes(&self) -> bool {
        false
    }

    fn encrypt(&self, blocks: &mut [u8]) {
        cbc_encrypt(&self.0, blocks);
    }

    fn decrypt(&self, blocks: &mut [u8]) {
        cbc_decrypt(&self.0, blocks);
    }

    /// ISO 9797-1 algorithm 1 with padding method 1: the last block of a CBC encryption, the full cipher on every
    /// block (not the "retail MAC").
    fn checksum(&self, parts: &[&[u8]]) -> [u8; 8] {
        let mut octets = parts.concat();
        octets.resize(octets.len().next_multiple_of(8), 0);
        cbc_encrypt(&self.0, &mut octets);
        octets.last_chunk().copied().unwrap_or_default()
    }
}

fn leading(octets: &[u8]) -> [u8; 8] {
    octets.first_chunk().copied().unwrap_or_default()
}
