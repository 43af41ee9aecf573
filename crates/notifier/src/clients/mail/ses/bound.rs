//! What is read of an answer: so much, and a success only if it says to be JSON.
use std::mem;

use aws_sdk_sesv2::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_sesv2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sesv2::error::BoxError;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// An answer is an id or a sentence.
const LONGEST: usize = 64 * 1024;

/// Stands between the connection and the SDK, which would read whatever comes.
#[derive(Debug)]
pub(super) struct Bound;

impl Intercept for Bound {
    fn name(&self) -> &'static str {
        "Bound"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let kind = response.headers().get("content-type").unwrap_or_default();
        if response.status().is_success() && !kind.contains("json") {
            return Err("a success that is not JSON".into());
        }
        let body = mem::replace(response.body_mut(), SdkBody::taken());
        *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, LONGEST));
        Ok(())
    }
}
