//! The detail of a refusal (errors section 1): `google.rpc.Status` with one `hefu.v1.ErrorDetail`.

use hefu_proto::v1::ErrorDetail;
use prost::Message;

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// The `ErrorDetail` in the bytes of `grpc-status-details-bin`, if it is the only detail.
pub fn decode(bytes: &[u8]) -> Option<ErrorDetail> {
    let status = Status::decode(bytes).ok()?;
    match status.details.as_slice() {
        [only] if only.type_url.ends_with("/hefu.v1.ErrorDetail") => ErrorDetail::decode(only.value.as_slice()).ok(),
        _ => None,
    }
}

/// The trailer's bytes for a refusal; used by targets of the suite's own tests.
pub fn encode(grpc: i32, detail: &ErrorDetail) -> Vec<u8> {
    let any = Any { type_url: "type.googleapis.com/hefu.v1.ErrorDetail".into(), value: detail.encode_to_vec() };
    Status { code: grpc, message: detail.cause.clone(), details: vec![any] }.encode_to_vec()
}
