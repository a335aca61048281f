//! Certificates of a new party: a root of its own for the interconnect, another for the control side.
use crate::Error;
use hefu_core::PartyId;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

const ROOT_DAYS: u64 = 3650;
const LEAF_DAYS: u64 = 825;

/// One leaf certificate and its key, in PEM.
pub(super) struct Leaf {
    pub(super) certificate: String,
    pub(super) key: Zeroizing<String>,
}

/// A root and the leaves that it signed, in PEM.
pub(super) struct Tree {
    pub(super) root: String,
    pub(super) root_key: Zeroizing<String>,
    pub(super) leaves: Vec<Leaf>,
}

/// The party's root and its one leaf, good as server and as client.
pub(super) fn party(party: &PartyId) -> Result<Tree, Error> {
    let both = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let names = [party.urn()];
    tree(&format!("Hefu {party}"), &[("node", Some(&names[0]), both)])
}

/// The root of the control side, its server's leaf, and its client's.
pub(super) fn control() -> Result<Tree, Error> {
    tree(
        "Hefu control",
        &[
            ("localhost", None, vec![ExtendedKeyUsagePurpose::ServerAuth]),
            ("control-client", None, vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ],
    )
}

type LeafPlan<'a> = (&'a str, Option<&'a String>, Vec<ExtendedKeyUsagePurpose>);

fn tree(common_name: &str, leaves: &[LeafPlan<'_>]) -> Result<Tree, Error> {
    let failed = |_| Error::Internal("a certificate could not be made");
    let mut params = parameters(common_name, ROOT_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().map_err(failed)?;
    let root_key = Zeroizing::new(key.serialize_pem());
    let issuer = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
    let mut signed = Vec::new();
    for (name, uri, usages) in leaves {
        let mut params = parameters(name, LEAF_DAYS)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages.clone();
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names.push(SanType::DnsName((*name).try_into().map_err(failed)?));
        if let Some(uri) = uri {
            params.subject_alt_names.push(SanType::URI(uri.as_str().try_into().map_err(failed)?));
        }
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?.pem();
        signed.push(Leaf { certificate, key: Zeroizing::new(key.serialize_pem()) });
    }
    Ok(Tree { root: issuer.pem(), root_key, leaves: signed })
}

/// Valid from yesterday, for peers whose clocks are behind.
fn parameters(common_name: &str, days: u64) -> Result<CertificateParams, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Error::Internal("the clock is before 1970"))?;
    let today = now.as_secs() / 86_400;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let (year, month, day) = civil(today.saturating_sub(1));
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = civil(today + days);
    params.not_after = date_time_ymd(year, month, day);
    Ok(params)
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian calendar).
fn civil(days: u64) -> (i32, u8, u8) {
    let mut left = days;
    let mut year = 1970;
    let is_leap = |y: i32| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, u8::try_from(left + 1).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(59), (1970, 3, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(20_453), (2025, 12, 31));
    }

    #[test]
    fn the_leaf_names_the_party_once() {
        let id = PartyId::parse("uscc:91440300YY00001320").unwrap();
        let tree = party(&id).unwrap();
        let leaf = rustls_pki_types::pem::PemObject::from_pem_slice(tree.leaves[0].certificate.as_bytes()).unwrap();
        assert_eq!(crate::tls::party_of(&leaf), Ok(id));
        let root = rustls_pki_types::pem::PemObject::from_pem_slice(tree.root.as_bytes()).unwrap();
        assert!(crate::tls::party_of(&root).is_err());
    }
}
