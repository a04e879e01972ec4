//! What a chain of redirects has met so far.

use std::sync::Arc;

use super::super::options::RedirectTrust;
use super::super::policy::TokenPermission;
use super::super::request_template::{RequestTemplate, SentAgain};
use reqwest::Request;
use scitoken_types::Origin;
use url::Url;

/// What a chain of redirects has met so far.
///
/// The redirect middleware puts it into the extensions of the request. The middlewares below read from it which origins
/// may receive a credential.
#[derive(Clone, Debug)]
pub(crate) struct RedirectContext {
    /// The origin that the user named.
    start: Origin,
    /// The request of the current step.
    template: Arc<RequestTemplate>,
    /// Whether a step went, without a token, to an origin that is not trusted with one.
    untrusted: bool,
    /// Whether a step went from `https` to `http`.
    downgraded: bool,
}

impl RedirectContext {
    /// Starts a chain at the origin that the user named.
    pub(super) fn new(start: Origin, template: Arc<RequestTemplate>) -> Self {
        Self { start, template, untrusted: false, downgraded: false }
    }

    /// Returns the origin of a URL, if it is the one that the user named.
    pub(crate) fn origin_of(&self, url: &Url) -> Option<Origin> {
        self.start.is_of(url).then(|| self.start.clone())
    }

    /// Returns what this request is made from again; `None` if the chain has no copy of it.
    pub(crate) fn sent_again(&self, request: &Request) -> Option<SentAgain> {
        SentAgain::new(&self.template, request)
    }

    /// Records the request of the next step.
    pub(super) fn set_template(&mut self, template: Arc<RequestTemplate>) {
        self.template = template;
    }

    /// Returns the request of the current step.
    pub(in crate::auth) fn template(&self) -> &Arc<RequestTemplate> {
        &self.template
    }

    /// Records that a step went without a token to an origin that is not trusted with one.
    pub(in crate::auth) fn mark_untrusted(&mut self) {
        self.untrusted = true;
    }

    /// Records that a step went from `https` to `http`: no later step carries a token.
    pub(super) fn mark_downgraded(&mut self) {
        self.downgraded = true;
    }

    /// Returns whether the user named this origin, and every step so far went where a credential may go.
    pub(in crate::auth) fn is_at_start(&self, origin: &Origin) -> bool {
        self.permission(origin, &RedirectTrust::SameOrigin) == TokenPermission::Any
    }

    /// Returns whether this origin and the one that the user named are two names of this machine, as in a login flow that is
    /// tried out with two local servers.
    pub(in crate::auth) fn is_between_names_of_this_machine(&self, origin: &Origin) -> bool {
        !self.downgraded
            && self.start.is_loopback()
            && origin.is_loopback()
            && !self.start.shares_host_with(origin)
    }

    /// Returns whether a step went from `https` to `http`.
    pub(super) fn is_downgraded(&self) -> bool {
        self.downgraded
    }

    /// Returns which tokens the origin of the current step may receive.
    pub(in crate::auth) fn permission(&self, origin: &Origin, trust: &RedirectTrust) -> TokenPermission {
        if self.downgraded {
            TokenPermission::None
        } else if *origin == self.start && !self.untrusted {
            TokenPermission::Any
        } else {
            trust.permission(origin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::try_from(&url.parse::<Url>().unwrap()).unwrap()
    }

    fn context() -> RedirectContext {
        let request = Request::new(http::Method::GET, "https://a/f".parse().unwrap());
        RedirectContext::new(origin("https://a"), Arc::new(RequestTemplate::of(&request, None)))
    }

    #[test]
    fn the_origin_that_the_user_named_may_have_any_token_until_an_untrusted_one_was_met() {
        let mut context = context();
        let trust = RedirectTrust::SameOrigin;
        assert_eq!(context.permission(&origin("https://a"), &trust), TokenPermission::Any);
        assert_eq!(context.permission(&origin("https://b"), &trust), TokenPermission::None);
        context.mark_untrusted();
        assert_eq!(context.permission(&origin("https://a"), &trust), TokenPermission::None);
        let named = RedirectTrust::Hosts(vec!["a".parse().unwrap()]);
        assert_eq!(context.permission(&origin("https://a"), &named), TokenPermission::Any);
    }

    #[test]
    fn no_origin_may_have_a_token_after_a_downgrade() {
        let mut context = context();
        context.mark_downgraded();
        let trust = RedirectTrust::Hosts(vec!["a".parse().unwrap(), "b".parse().unwrap()]);
        for url in ["https://a", "https://b", "http://a"] {
            assert_eq!(context.permission(&origin(url), &trust), TokenPermission::None, "{url}");
        }
    }
}
