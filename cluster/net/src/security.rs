//! Who may speak to whom: mutual TLS under the cluster's own authority, or nothing at all on loopback.
//!
//! A node's certificate bears the name `node-<id>.fen`. Both sides present one; both check that it was signed by
//! the cluster's authority and bears the name that the other claims.

use crate::{NetFault, NodeId};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The name in a node's certificate.
pub fn node_name(node: NodeId) -> String {
    format!("node-{}.fen", node.0)
}

/// The name in every node's certificate under which clients trust whichever node they reach.
pub const NODES_NAME: &str = "nodes.fen";

/// How connections are protected.
#[derive(Clone)]
pub enum Security {
    /// Not at all; only for loopback, and only when asked for.
    Plain,
    /// Mutual TLS.
    Mutual {
        /// For connections that come in.
        acceptor: TlsAcceptor,
        /// For connections that go out.
        connector: TlsConnector,
    },
}

fn trouble(doing: &str, because: impl std::fmt::Display) -> NetFault {
    NetFault::Security(format!("{doing}: {because}"))
}

impl Security {
    /// Mutual TLS from the authority's certificate and this node's certificate and key, all in PEM.
    pub fn mutual(authority: &str, certificate: &str, key: &str) -> Result<Self, NetFault> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            let root = root.map_err(|error| trouble("authority's certificate", error))?;
            roots.add(root).map_err(|error| trouble("authority's certificate", error))?;
        }
        let roots = Arc::new(roots);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| trouble("node's certificate", error))?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| trouble("node's key", error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| trouble("authority", error))?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| trouble("protocol", error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| trouble("node's certificate", error))?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| trouble("protocol", error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(|error| trouble("node's certificate", error))?;
        Ok(Self::Mutual {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
        })
    }

    pub(crate) fn check_name(certificate: &[u8], name: &str) -> Result<(), NetFault> {
        let der = CertificateDer::from(certificate);
        let parsed =
            webpki::EndEntityCert::try_from(&der).map_err(|error| trouble("peer's certificate", error))?;
        let expected =
            ServerName::try_from(name.to_owned()).map_err(|error| trouble("peer's name", error))?;
        parsed
            .verify_is_valid_for_subject_name(&expected)
            .map_err(|_| NetFault::Refused(format!("the certificate does not bear the name {name}")))
    }
}

/// A cluster's own certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    key: String,
}

/// The name in an authority's certificate, the same for all: it tells nothing, the key does.
const AUTHORITY_NAME: &str = "Fen cluster authority";

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    /// Draws a new one.
    pub fn create() -> Result<Self, NetFault> {
        let key = KeyPair::generate().map_err(|error| trouble("drawing a key", error))?;
        let params = authority_params();
        let certificate = params.self_signed(&key).map_err(|error| trouble("signing", error))?.pem();
        let key_pem = key.serialize_pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate, key: key_pem })
    }

    /// One that was created earlier, from what [`Authority::certificate`] and [`Authority::key`] gave.
    pub fn load(certificate: &str, key: &str) -> Result<Self, NetFault> {
        let pair = KeyPair::from_pem(key).map_err(|error| trouble("authority's key", error))?;
        let issuer = Issuer::new(authority_params(), pair);
        Ok(Self { issuer, certificate: certificate.to_owned(), key: key.to_owned() })
    }

    /// Its certificate, in PEM: what every node and client trusts.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its key, in PEM: whoever has it can name nodes.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A certificate and its key for the holder of `names`, both in PEM. Nodes are named by [`node_name`], and by
    /// the host names and addresses under which clients reach them.
    pub fn issue(&self, names: &[String]) -> Result<(String, String), NetFault> {
        let key = KeyPair::generate().map_err(|error| trouble("drawing a key", error))?;
        let mut params = CertificateParams::new(names.to_vec())
            .map_err(|error| trouble("names in the certificate", error))?;
        params.distinguished_name.push(DnType::CommonName, names.first().map_or("fen", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| trouble("signing", error))?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}
