//! gRPC statuses and their one detail (spec/errors.md): the only file that chooses a status.
use bytes::Bytes;
use hefu_core::{Code, Fault, PartyId, Place};
use hefu_proto::v1::ErrorDetail;
use prost::Message;
use tonic::Status;

const DETAIL_URL: &str = "type.googleapis.com/hefu.v1.ErrorDetail";

/// `google.rpc.Status`, the payload of the `grpc-status-details-bin` trailer.
#[derive(Clone, PartialEq, Message)]
struct RichStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<AnyMessage>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct AnyMessage {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// The gRPC status of a registered code (spec/errors.md, section 1).
fn grpc_code(code: Code) -> tonic::Code {
    match code {
        Code::PeerSlow => return tonic::Code::DeadlineExceeded,
        Code::Conflict | Code::Cancelled | Code::PeerAborted | Code::NodeStopped => return tonic::Code::Aborted,
        _ => {}
    }
    match code.number() / 1000 {
        1 => tonic::Code::Unavailable,
        3 => tonic::Code::PermissionDenied,
        5 => tonic::Code::InvalidArgument,
        7 => tonic::Code::ResourceExhausted,
        _ => tonic::Code::FailedPrecondition,
    }
}

/// The refusal of a call.
pub(crate) fn refusal(fault: &Fault) -> Status {
    let code = grpc_code(fault.code);
    let detail = ErrorDetail {
        code: u32::from(fault.code.number()),
        name: fault.code.name().to_owned(),
        scope: fault.code.scope().as_str().to_owned(),
        retry: fault.code.retry().as_str().to_owned(),
        party: fault.party.as_ref().map(PartyId::to_string).unwrap_or_default(),
        requirement: fault.requirement.unwrap_or_default().to_owned(),
        cause: fault.cause.clone(),
        next: fault.next().to_owned(),
        place: fault.place.to_string(),
    };
    let message = fault.to_string();
    let rich = RichStatus {
        code: code as i32,
        message: message.clone(),
        details: vec![AnyMessage { type_url: DETAIL_URL.to_owned(), value: detail.encode_to_vec() }],
    };
    Status::with_details(code, message, Bytes::from(rich.encode_to_vec()))
}

/// A refusal on the interconnect: where in this party's data it lies is not told (ERR-2).
pub(crate) fn refusal_to_peer(fault: &Fault) -> Status {
    let cause = hefu_core::registry::entry(fault.code).cause.en.to_owned();
    refusal(&Fault { place: Place::default(), cause, ..fault.clone() })
}

fn detail_of(status: &Status) -> Option<ErrorDetail> {
    let rich = RichStatus::decode(status.details()).ok()?;
    let detail = rich.details.iter().find(|any| any.type_url == DETAIL_URL)?;
    ErrorDetail::decode(detail.value.as_slice()).ok()
}

/// The fault that a peer's refusal tells of, in this node's own words; `None` where it has no detail.
///
/// A code that is not known here becomes `PEER_ABORTED` (ERR-4).
pub(crate) fn peer_fault(status: &Status, peer: &PartyId) -> Option<Fault> {
    let detail = detail_of(status)?;
    let code = Code::from_number(detail.code).unwrap_or(Code::PeerAborted);
    let fault = Fault::new(code).by(&PartyId::parse(&detail.party).unwrap_or_else(|_| peer.clone()));
    if fault.party.as_ref() == Some(peer) {
        return Some(fault);
    }
    // Another party is responsible, often this one: who refused is then worth a sentence.
    let cause = format!("{} Refused by {peer}.", fault.cause);
    Some(Fault { cause, ..fault })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_crosses_without_its_place() {
        let party = PartyId::parse("uscc:91440300YY00001320").unwrap();
        let place = Place { dataset: Some("tax".into()), row: Some(7), column: None };
        let fault = Fault::because(Code::NotAllowed, "text of mine").by(&party).citing("SESS-12").at(place);
        let status = refusal_to_peer(&fault);
        assert_eq!(status.code(), tonic::Code::PermissionDenied);
        let detail = detail_of(&status).unwrap();
        assert_eq!((detail.code, detail.requirement.as_str(), detail.place.as_str()), (3001, "SESS-12", ""));
        assert_eq!(detail.retry, "NEVER");
        assert_eq!(peer_fault(&status, &party), Some(Fault::new(Code::NotAllowed).by(&party)));
        assert_eq!(detail_of(&refusal(&fault)).unwrap().place, "tax, row 7");
    }

    #[test]
    fn a_status_without_detail_or_with_an_unknown_code() {
        let party = PartyId::parse("uscc:91440300YY00001320").unwrap();
        assert_eq!(peer_fault(&Status::unavailable("gone"), &party), None);
        let value = ErrorDetail { code: 9999, ..Default::default() }.encode_to_vec();
        let rich =
            RichStatus { details: vec![AnyMessage { type_url: DETAIL_URL.into(), value }], ..Default::default() };
        let status = Status::with_details(tonic::Code::Unknown, "", Bytes::from(rich.encode_to_vec()));
        assert_eq!(peer_fault(&status, &party).map(|f| f.code), Some(Code::PeerAborted));
    }

    #[test]
    fn every_code_has_the_status_of_its_range() {
        for code in Code::ALL {
            let status = grpc_code(*code);
            let allowed: &[tonic::Code] = match code.number() / 1000 {
                1 => &[tonic::Code::Unavailable, tonic::Code::DeadlineExceeded],
                2 | 6 => &[tonic::Code::FailedPrecondition],
                3 => &[tonic::Code::PermissionDenied, tonic::Code::Unauthenticated],
                4 => &[tonic::Code::FailedPrecondition, tonic::Code::Aborted],
                5 => &[tonic::Code::InvalidArgument],
                _ => &[tonic::Code::ResourceExhausted],
            };
            assert!(allowed.contains(&status), "{}", code.name());
        }
    }
}
