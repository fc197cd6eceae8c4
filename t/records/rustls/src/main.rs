// SPDX-License-Identifier: MIT
//! Requests by rustls, with a KeyUpdate that asks for one before each when the
//! version is 1.3: hd-rustls-client PORT 1.2|1.3 COUNT prints ok.
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, Stream};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

/// The relay's certificate is self-signed; only records are tested here.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
        ]
    }
}

fn get<S: Read + Write>(stream: &mut S, number: usize) {
    let padding = "x".repeat(number * 37 % 4000);
    let request = format!("GET /derp/probe HTTP/1.1\r\nHost: localhost\r\nX-Padding: {padding}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("write");
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !answer.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut part).expect("read");
        assert!(n > 0, "closed");
        answer.extend_from_slice(&part[..n]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let versions = if args[2] == "1.3" {
        &[&rustls::version::TLS13]
    } else {
        &[&rustls::version::TLS12]
    };
    let config = ClientConfig::builder_with_protocol_versions(versions)
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut conn = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut sock = TcpStream::connect(format!("127.0.0.1:{}", args[1])).expect("connect");
    for number in 0..args[3].parse().unwrap() {
        if args[2] == "1.3" && number > 0 {
            conn.refresh_traffic_keys().expect("KeyUpdate");
        }
        get(&mut Stream::new(&mut conn, &mut sock), number);
    }
    conn.send_close_notify();
    while conn.wants_write() {
        conn.write_tls(&mut sock).expect("close_notify");
    }
    let mut rest = Vec::new();
    let end = Stream::new(&mut conn, &mut sock).read_to_end(&mut rest);
    assert!(end.is_ok() && rest.is_empty(), "no close_notify: {end:?}");
    println!("ok");
}
