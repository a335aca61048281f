//! A TCP proxy that delays both directions and limits nothing else: a long link on one machine.
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;
/// Pieces that may be under way in one direction: 256 MiB.
const PIECES: usize = 1024;

/// A running proxy. It ends when it is dropped; connections that are open end by themselves.
pub struct DelayProxy {
    address: SocketAddr,
    target: Arc<OnceLock<SocketAddr>>,
    task: AbortHandle,
}

impl DelayProxy {
    /// Listens on a loopback port; each direction is `delay` late, so that a round trip takes twice that.
    ///
    /// # Errors
    /// No port.
    pub async fn start(delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, target) = (listener.local_addr()?, Arc::<OnceLock<SocketAddr>>::default());
        let to = target.clone();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Some(to) = to.get().copied() else { continue };
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(to).await else { return };
                    let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::join!(carry(near_in, far_out, delay), carry(far_in, near_out, delay));
                });
            }
        });
        Ok(DelayProxy { address, target, task: task.abort_handle() })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where connections lead; before this is known they are refused.
    pub fn lead_to(&self, target: SocketAddr) {
        let _ = self.target.set(target);
    }
}

impl Drop for DelayProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let read = async move {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            match from.read_buf(&mut piece).await {
                Ok(1..) if sender.send((Instant::now() + delay, piece)).await.is_ok() => {}
                _ => return,
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
