//! What the numbers of an RSA key must be. The cryptographic library checks the same, but does not say what is wrong, and
//! takes its time with long ones.

use super::der::{self, Der};
use super::{KeyError, KeyKind, Weakness};

/// Why the library rejects a private key whose size is right.
pub(super) const INCONSISTENT: &str = "it is cut off, or its numbers are inconsistent";
/// Why a key has no numbers to check.
pub(super) const NOT_PKCS1: &str = "it is not PKCS#1";
const MOST_BITS: usize = 8_192;
/// As in the library: a longer exponent makes each verification slow.
const MOST_EXPONENT_BITS: usize = 33;

/// Returns the size of the modulus of a key that can verify.
pub(super) fn check(n: &[u8], e: &[u8]) -> Result<usize, KeyError> {
    let (n, e) = (without_zeros(n), without_zeros(e));
    let problem = match (bits(n), e) {
        (0, _) => "its modulus is zero",
        (bits @ 1..1_024, _) => return Err(KeyError::TooWeak(Weakness::ShortRsa { bits })),
        (bits, _) if bits > MOST_BITS => "it has more than 8192 bits, which is not supported",
        _ if is_even(n) => "its modulus is even",
        (_, []) => "its exponent is zero",
        (_, [1]) => "its exponent is 1, so that any signature would verify",
        _ if is_even(e) => "its exponent is even",
        _ if bits(e) > MOST_EXPONENT_BITS => "its exponent has more than 33 bits, which is not supported",
        (bits, _) => return Ok(bits),
    };
    Err(KeyError::malformed(KeyKind::Rsa, problem))
}

/// Checks the numbers of a key that can sign.
pub(super) fn check_private(n: &[u8], e: &[u8]) -> Result<(), KeyError> {
    match check(n, e)? {
        bits @ ..2_048 => Err(KeyError::TooWeak(Weakness::ShortRsa { bits })),
        _ => Ok(()),
    }
}

/// Checks a PKCS#1 private key (RFC 8017 appendix A.1.2).
pub(super) fn check_pkcs1_private(pkcs1: &[u8]) -> Result<(), KeyError> {
    let malformed = KeyError::malformed(KeyKind::Rsa, NOT_PKCS1);
    let Some(mut numbers) = Der::whole(pkcs1, der::SEQUENCE) else { return Err(malformed) };
    let (_version, n, e) = (numbers.unsigned(), numbers.unsigned(), numbers.unsigned());
    n.zip(e).ok_or(malformed).and_then(|(n, e)| check_private(n, e))
}

pub(super) fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    &number[zeros..]
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

fn is_even(number: &[u8]) -> bool {
    number.last().is_none_or(|last| last % 2 == 0)
}
