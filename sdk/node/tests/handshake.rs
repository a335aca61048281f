//! Who gets a connection, and with what key exchange.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_core::Code;
use hefu_node::{Node, NodeConfig};
use rcgen::{CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType, date_time_ymd};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Status;
use world::peer::{Peer, careless_config, connect, versions};
use world::{Party, allow, introduce, party_id, prepare, toml, train_job};

type Credentials = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A leaf signed by the true root of a party, with the given names and dates.
fn leaf_of(peer: &Peer, uris: &[&str], usage: ExtendedKeyUsagePurpose, until: i32) -> Credentials {
    let keys = peer.folder.path().join("state/keys");
    let read = |name: &str| std::fs::read_to_string(keys.join(name)).unwrap();
    let root_key = KeyPair::from_pem(&read("party-ca.key")).unwrap();
    let mut root = CertificateParams::default();
    root.distinguished_name = rcgen::DistinguishedName::new();
    root.distinguished_name.push(rcgen::DnType::CommonName, format!("Hefu {}", peer.party));
    let issuer = rcgen::Issuer::new(root, root_key);
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params.extended_key_usages = vec![usage];
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    (vec![leaf.into()], PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap())
}

/// A leaf that claims a party but chains to a root of its own.
fn forged(urn: &str) -> Credentials {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![SanType::URI(urn.try_into().unwrap())];
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    (vec![leaf.into(), issuer.der().clone()], PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap())
}

/// A connection with these credentials and one call on it: TLS 1.3 tells a client of a refusal only after its
/// handshake.
async fn attempt(to: &Party, credentials: Option<Credentials>) -> Result<Vec<String>, Status> {
    let (channel, _) = connect(careless_config(credentials), to.node.interconnect(), "localhost").await?;
    versions(&channel).await
}

// clause: TLS-6
#[tokio::test(flavor = "multi_thread")]
async fn the_hybrid_key_exchange_is_negotiated() {
    let mut tax = Party::start("tax", "").await;
    let peer = Peer::new("bank");
    peer.introduce(&mut tax, "bank").await;
    let config = careless_config(Some(peer.credentials()));
    let (channel, group) = connect(config, tax.node.interconnect(), "localhost").await.unwrap();
    assert_eq!(group, "X25519MLKEM768");
    assert_eq!(versions(&channel).await.unwrap(), ["1.0"]);
    let seen = tax.node.connections();
    assert_eq!(
        (seen[0].party.clone(), seen[0].group.as_str(), seen[0].inbound),
        (party_id("bank"), "X25519MLKEM768", true)
    );
}

// clause: TLS-1
#[tokio::test(flavor = "multi_thread")]
async fn an_older_tls_is_refused() {
    let tax = Party::start("tax", "").await;
    let mut tcp = tokio::net::TcpStream::connect(tax.node.interconnect()).await.unwrap();
    // A ClientHello of TLS 1.2: no supported_versions extension, one suite of that version.
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2f, 1, 0, 0, 0]);
    let mut hello = vec![1, 0, 0, body.len() as u8];
    hello.extend(body);
    let mut record = vec![22, 3, 1, 0, hello.len() as u8];
    record.extend(hello);
    tcp.write_all(&record).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    // One fatal alert, and nothing else.
    assert_eq!((answer.len(), answer[0], answer[5]), (7, 21, 2));
}

// clause: TLS-2, TLS-3, TLS-4, TLS-5
#[tokio::test(flavor = "multi_thread")]
async fn only_the_true_certificate_of_a_trusted_party_gets_in() {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let mut tax = Party::start("tax", "").await;
    let (bank, power, stranger) = (Peer::new("bank"), Peer::new("power"), Peer::new("stranger"));
    bank.introduce(&mut tax, "bank").await;
    power.introduce(&mut tax, "power").await;
    let urn = party_id("bank").urn();
    let other = party_id("power").urn();
    let refused: Vec<(&str, Option<Credentials>)> = vec![
        ("no certificate", None),
        ("a party that nobody trusts here", Some(stranger.credentials())),
        ("a root of its own", Some(forged(&urn))),
        ("the name of another member under one's own root", Some(leaf_of(&power, &[&urn], ClientAuth, 2100))),
        ("two parties", Some(leaf_of(&bank, &[&urn, &other], ClientAuth, 2100))),
        ("no party", Some(leaf_of(&bank, &["urn:other:thing"], ClientAuth, 2100))),
        ("out of date", Some(leaf_of(&bank, &[&urn], ClientAuth, 2021))),
        ("a server's certificate", Some(leaf_of(&bank, &[&urn], ServerAuth, 2100))),
    ];
    for (what, credentials) in refused {
        assert!(attempt(&tax, credentials).await.is_err(), "{what}");
    }
    let good = leaf_of(&bank, &[&urn, "https://bank.example"], ClientAuth, 2100);
    assert!(attempt(&tax, Some(good)).await.is_ok());
    // The node is as it was.
    assert!(attempt(&tax, Some(bank.credentials())).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_follows_the_folder() {
    let mut tax = Party::start("tax", "").await;
    let bank = Peer::new("bank");
    assert!(attempt(&tax, Some(bank.credentials())).await.is_err());
    bank.introduce(&mut tax, "bank").await;
    assert!(attempt(&tax, Some(bank.credentials())).await.is_ok());
    std::fs::remove_file(tax.state().join("trust/bank.json")).unwrap();
    assert!(attempt(&tax, Some(bank.credentials())).await.is_err());
}

/// Submits a job of the bank with a party and answers how it fails.
async fn failure(bank: &mut Party) -> (Option<Code>, String) {
    bank.publish("loans", &world::table::tables(50, 1).bank, "y").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "FAILED");
    let error = ended.error.unwrap();
    (Code::from_number(error.code), error.party)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_down_is_named() {
    let mut parties = [Party::start("bank", "").await, Party::start("tax", "").await];
    introduce(&mut parties).await;
    let [mut bank, tax] = parties;
    tax.node.shutdown().await;
    assert_eq!(failure(&mut bank).await, (Some(Code::PeerUnreachable), party_id("tax").to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_trust_this_party_is_named() {
    let (mut bank, tax) = (Party::start("bank", "").await, Party::start("tax", &allow("bank", "tax")).await);
    bank.trust(&tax).await;
    assert_eq!(failure(&mut bank).await, (Some(Code::UntrustedCertificate), party_id("tax").to_string()));
}

// clause: TLS-3
#[tokio::test(flavor = "multi_thread")]
async fn another_member_at_the_dialled_address_is_refused() {
    let (mut bank, mut power) = (Party::start("bank", "").await, Party::start("power", "").await);
    bank.trust(&power).await;
    power.trust(&bank).await;
    // The descriptor of tax points at power's address.
    let rest = format!("endpoint = \"https://{}\"", power.node.interconnect());
    let (_folder, config) = prepare("tax", &rest);
    let descriptor = std::fs::read(config.files.state.join("party.json")).unwrap();
    let request = hefu_proto::control::TrustPartyRequest { descriptor, alias: "tax".into(), rename: false };
    bank.control.nodes.trust_party(request).await.unwrap();
    assert_eq!(failure(&mut bank).await, (Some(Code::UntrustedCertificate), party_id("tax").to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let (_folder, config) = prepare("bank", "");
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let text = toml("bank", "").replace("interconnect = \"127.0.0.1:0\"", &format!("interconnect = \"{address}\""));
    let config = NodeConfig::parse(&text, config.files.state.parent().unwrap()).unwrap();
    let error = Node::start(config).await.unwrap_err();
    assert_eq!(error.code(), Code::PortTaken);
    assert!(error.to_string().contains(&address.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_side_takes_its_own_clients_only() {
    let bank = Party::start("bank", "").await;
    let other = Peer::new("power");
    for credentials in [None, Some(other.credentials())] {
        let connected = connect(careless_config(credentials), bank.node.control(), "localhost").await;
        let refused = match connected {
            Err(_) => true,
            Ok((channel, _)) => {
                let mut client = hefu_proto::control::node_service_client::NodeServiceClient::new(channel);
                client.get_status(hefu_proto::control::GetStatusRequest {}).await.is_err()
            }
        };
        assert!(refused);
    }
}

#[test]
fn private_keys_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _) = prepare("bank", "");
    for name in ["signing.key", "tls.key", "party-ca.key", "control-server.key", "control-client.key"] {
        let mode = std::fs::metadata(folder.path().join("state/keys").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_results_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let mut bank = Party::start("bank", "").await;
    bank.publish("loans", &world::table::tables(50, 1).bank, "y").await.unwrap();
    for name in ["hefu.db", "hefu.db-wal", "datasets/loans.csv"] {
        let mode = std::fs::metadata(bank.state().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}
