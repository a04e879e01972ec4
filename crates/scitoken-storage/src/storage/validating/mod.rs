//! Rules for what a storage accepts and returns.

mod consent;
mod storage;
mod validator;
mod validators;

pub use consent::{Consent, ConsentError, ConsentSource, Consents};
pub use storage::ValidatingTokenStorage;
pub use validator::{TokenDataValidator, TokenValidationContext};
pub use validators::{
    HasRefreshTokensValidator, NotExpiredValidator, ScopeRequirementsValidator, UnchangingIdentityIdValidator,
};
