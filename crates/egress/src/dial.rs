//! Connections that we open ourselves: to an address that the guard allows, by TCP, and by TLS where the scheme says
//! so.

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use url::Url;

use crate::{call::Egress, guard::refusal, lanes::Lane};

/// An open connection, with or without TLS.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Egress {
    /// Opens a connection to where `url` leads. What is connected to is what the guard saw: no name is resolved twice,
    /// and no redirect is followed.
    pub(crate) async fn dial(&self, lane: &Lane, url: &Url) -> Result<Box<dyn Connection>, String> {
        let host = url.host_str().ok_or("the address has no host")?;
        let port = url.port_or_known_default().ok_or("the address has no port")?;
        if !lane.guard().allows_url(url) {
            return Err(refusal(host));
        }
        let plain_host = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = lane.guard().resolve(plain_host, port).await.map_err(|e| e.to_string())?;
        let stream = TcpStream::connect(addresses.as_slice()).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        if !matches!(url.scheme(), "https" | "wss") {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(plain_host.to_owned()).map_err(|e| e.to_string())?;
        let stream = self.submitter().tls.connect(name, stream).await.map_err(|e| format!("TLS: {e}"))?;
        Ok(Box::new(stream))
    }
}
