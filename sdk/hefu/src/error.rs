//! What can fail, sorted by whose fault it is.
use hefu_core::{Code, Fault, Place, registry};
use prost::Message;
use std::fmt;

/// Everything that a call of this crate can answer instead of a value.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file, an argument or the configuration on the caller's side is wrong.
    #[error("{0}")]
    Misuse(Box<Failure>),
    /// One's own node does not answer, or refuses the call.
    #[error("{0}")]
    Node(Box<Failure>),
    /// A joint job ended without a result; the failure names the party.
    #[error("{0}")]
    Job(Box<Failure>),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One failure as every file and screen tells it. Never a key, a cell or a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The registered code (`spec/registry/errors.json`).
    pub code: Code,
    /// Id of the responsible party, where one is known.
    pub party: Option<String>,
    /// Dataset, data row counted from 1, column.
    pub place: Place,
    /// What happened.
    pub cause: String,
    /// What to do next.
    pub next: String,
}

impl Error {
    /// The failure itself, whosever fault it is.
    pub fn failure(&self) -> &Failure {
        match self {
            Error::Misuse(failure) | Error::Node(failure) | Error::Job(failure) => failure,
        }
    }

    /// The registered code.
    pub fn code(&self) -> Code {
        self.failure().code
    }

    /// Id of the responsible party, where one is known.
    pub fn party(&self) -> Option<&str> {
        self.failure().party.as_deref()
    }

    /// Where it lies.
    pub fn place(&self) -> &Place {
        &self.failure().place
    }

    /// What happened.
    pub fn cause(&self) -> &str {
        &self.failure().cause
    }

    /// What to do next.
    pub fn next(&self) -> &str {
        &self.failure().next
    }

    pub(crate) fn misuse(code: Code, cause: impl Into<String>) -> Self {
        Error::Misuse(Box::new(Failure::because(code, cause)))
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        let (Error::Misuse(failure) | Error::Node(failure) | Error::Job(failure)) = &mut self;
        failure.place = place;
        self
    }

    pub(crate) fn node(code: Code, cause: impl Into<String>) -> Self {
        Error::Node(Box::new(Failure::because(code, cause)))
    }
}

impl Failure {
    /// A failure with a cause in its own words and the registry's next step. No data value, no secret.
    pub fn because(code: Code, cause: impl Into<String>) -> Self {
        Failure::from(Fault::because(code, cause))
    }

    fn from_wire(wire: WireFailure) -> Self {
        let code = Code::from_number(wire.code).unwrap_or(Code::Internal);
        let entry = registry::entry(code);
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        Failure {
            code,
            party: Some(wire.party).filter(|party| !party.is_empty()),
            place: parse_place(&wire.place),
            cause: or(wire.cause, entry.cause.en),
            next: or(wire.next, entry.next.en),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (Error::Misuse(failure) | Error::Node(failure) | Error::Job(failure)) = error;
        *failure
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let next = fault.next().to_owned();
        Failure {
            code: fault.code,
            party: fault.party.map(|party| party.to_string()),
            place: fault.place,
            cause: fault.cause,
            next,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code.number(), self.code.name(), self.cause)?;
        if let Some(party) = &self.party {
            write!(f, " Party: {party}.")?;
        }
        if self.place != Place::default() {
            write!(f, " Place: {}.", self.place)?;
        }
        write!(f, " {}", self.next)
    }
}

/// The fields that `hefu.v1.ErrorDetail` and `hefu.control.v1.Error` have in common.
struct WireFailure {
    code: u32,
    party: String,
    place: String,
    cause: String,
    next: String,
}

impl From<hefu_proto::control::Error> for Failure {
    fn from(e: hefu_proto::control::Error) -> Self {
        let hefu_proto::control::Error { code, party, place, cause, next, .. } = e;
        Failure::from_wire(WireFailure { code, party, place, cause, next })
    }
}

/// `google.rpc.Status`, of which only the details are read.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<AnyDetail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct AnyDetail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl From<tonic::Status> for Error {
    /// The refusal of one's own node: its error detail, or what gRPC itself says.
    fn from(status: tonic::Status) -> Self {
        let detail = RpcStatus::decode(status.details()).ok().and_then(|s| s.details.into_iter().next());
        if let Some(detail) = detail
            && let Ok(wire) = hefu_proto::v1::ErrorDetail::decode(detail.value.as_slice())
        {
            let hefu_proto::v1::ErrorDetail { code, party, place, cause, next, .. } = wire;
            return Error::Node(Box::new(Failure::from_wire(WireFailure { code, party, place, cause, next })));
        }
        let code = match status.code() {
            // A connection that breaks in the middle of an answer comes as Unknown.
            tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Unknown => Code::ControlUnreachable,
            tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => Code::UntrustedCertificate,
            _ => Code::Internal,
        };
        match code {
            Code::Internal => Error::node(code, format!("The node answered {:?}: {}", status.code(), status.message())),
            code => Error::Node(Box::new(Fault::new(code).into())),
        }
    }
}

/// Reads a place as `hefu_core::Place` prints it: `dataset, row N, column C`, each part optional.
pub(crate) fn parse_place(text: &str) -> Place {
    let mut place = Place::default();
    let mut rest = text;
    let column =
        rest.find(", column ").map(|at| (at, at + 9)).or_else(|| rest.starts_with("column ").then_some((0, 7)));
    if let Some((end, start)) = column {
        place.column = Some(rest[start..].to_owned());
        rest = &rest[..end];
    }
    let row = rest.rfind(", row ").map(|at| (at, at + 6)).or_else(|| rest.starts_with("row ").then_some((0, 4)));
    if let Some((end, start)) = row
        && let Ok(number) = rest[start..].parse()
    {
        place.row = Some(number);
        rest = &rest[..end];
    }
    if !rest.is_empty() {
        place.dataset = Some(rest.to_owned());
    }
    place
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_place_reads_back() {
        let cases = [
            Place::default(),
            Place { dataset: Some("tax".into()), ..Place::default() },
            Place { dataset: Some("tax, 2026".into()), row: Some(17), column: Some("paid, total".into()) },
            Place { row: Some(3), ..Place::default() },
            Place { column: Some("x".into()), ..Place::default() },
            Place { dataset: Some("tax".into()), column: Some("x".into()), row: None },
        ];
        for place in cases {
            assert_eq!(parse_place(&place.to_string()), place);
        }
    }

    #[test]
    fn a_refusal_keeps_its_detail() {
        let detail = hefu_proto::v1::ErrorDetail {
            code: 6001,
            party: "uscc:91440300YY00001320".into(),
            place: "tax, column vat".into(),
            cause: "No column vat.".into(),
            ..Default::default()
        };
        let any =
            AnyDetail { type_url: "type.googleapis.com/hefu.v1.ErrorDetail".into(), value: detail.encode_to_vec() };
        let bytes = RpcStatus { details: vec![any] }.encode_to_vec();
        let error = Error::from(tonic::Status::with_details(tonic::Code::FailedPrecondition, "x", bytes.into()));
        assert_eq!(error.code(), Code::MissingColumn);
        assert_eq!(error.place().column.as_deref(), Some("vat"));
        assert_eq!(error.party(), Some("uscc:91440300YY00001320"));
        assert_eq!(error.next(), registry::entry(Code::MissingColumn).next.en);
    }

    #[test]
    fn a_silent_node_is_unreachable() {
        assert_eq!(Error::from(tonic::Status::unavailable("x")).code(), Code::ControlUnreachable);
    }
}
