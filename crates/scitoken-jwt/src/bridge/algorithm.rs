//! Algorithms in both directions.

use ::jsonwebtoken::Algorithm as Theirs;

use super::error::BridgeError;
use crate::keys::Algorithm;

impl TryFrom<Algorithm> for Theirs {
    type Error = BridgeError;

    fn try_from(algorithm: Algorithm) -> Result<Self, BridgeError> {
        Ok(match algorithm {
            Algorithm::Hs256 => Self::HS256,
            Algorithm::Hs384 => Self::HS384,
            Algorithm::Hs512 => Self::HS512,
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Rs384 => Self::RS384,
            Algorithm::Rs512 => Self::RS512,
            Algorithm::Ps256 => Self::PS256,
            Algorithm::Ps384 => Self::PS384,
            Algorithm::Ps512 => Self::PS512,
            Algorithm::Es256 => Self::ES256,
            Algorithm::Es384 => Self::ES384,
            Algorithm::EdDsa => Self::EdDSA,
            Algorithm::Es512 | Algorithm::Es256K => {
                return Err(BridgeError::not_in_jsonwebtoken(format!("`{algorithm}`")));
            }
        })
    }
}

impl TryFrom<Theirs> for Algorithm {
    type Error = BridgeError;

    fn try_from(algorithm: Theirs) -> Result<Self, BridgeError> {
        Ok(match algorithm {
            Theirs::HS256 => Self::Hs256,
            Theirs::HS384 => Self::Hs384,
            Theirs::HS512 => Self::Hs512,
            Theirs::RS256 => Self::Rs256,
            Theirs::RS384 => Self::Rs384,
            Theirs::RS512 => Self::Rs512,
            Theirs::PS256 => Self::Ps256,
            Theirs::PS384 => Self::Ps384,
            Theirs::PS512 => Self::Ps512,
            Theirs::ES256 => Self::Es256,
            Theirs::ES384 => Self::Es384,
            Theirs::EdDSA => Self::EdDsa,
            other => return Err(BridgeError::not_here(format!("`{other:?}`"))),
        })
    }
}
