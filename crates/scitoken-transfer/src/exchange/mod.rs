//! One HTTP exchange: sending, the answer's head, its body, and what a failure means.

pub(crate) mod attempts;
pub(crate) mod content_coding;
pub(crate) mod content_range;
pub(crate) mod digest_question;
pub(crate) mod error_document;
pub(crate) mod frames;
pub(crate) mod framing;
pub(crate) mod page_answer;
pub(crate) mod probe;
pub(crate) mod request;
pub(crate) mod request_record;
pub(crate) mod response_head;
pub(crate) mod transport_error;
pub(crate) mod web_page;
