//! A connection that has left HTTP: bytes both ways, each direction ended on its own, until both are over or one side is gone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::engine::EngineEnd;
use crate::socket::Socket;

/// How long a client may take to end its direction once the engine has ended its own.
const LINGER: Duration = Duration::from_secs(2);
const BUFFER_BYTES: usize = 16 * 1024;

/// Writes the head of the engine's answer, then carries bytes until both directions have ended, one side fails, or `stopped` is done.
/// Says how many bytes the engine sent.
pub async fn run(
    client: Arc<Socket>,
    early: Bytes,
    answer_head: Bytes,
    mut engine: EngineEnd,
    stopped: impl Future<Output = ()>,
) -> u64 {
    let bytes_out = AtomicU64::new(0);
    let upstream = engine.socket();
    let up = async {
        let result = carry_up(&client, early, &upstream).await;
        // The daemon takes this for the end of stdin; it goes on sending until it has nothing left.
        upstream.end_writing();
        if result.is_err() || client.is_gone().await {
            return;
        }
        client.failed().await;
    };
    let down = async {
        let result = carry_down(&mut engine, answer_head, &client, &bytes_out).await;
        client.end_writing();
        result
    };
    tokio::pin!(up, down);
    let mut up_ended = false;
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            // The engine's direction is what the client waits for: when it ends in order, the client gets a moment to end its own.
            result = &mut down => {
                if result.is_ok() && !up_ended {
                    let _ = tokio::time::timeout(LINGER, client.peer_ended()).await;
                }
                break;
            }
            () = &mut up, if !up_ended => {
                up_ended = true;
                if client.is_gone().await {
                    break;
                }
            }
            () = &mut stopped => break,
        }
    }
    bytes_out.load(Ordering::Relaxed)
}

async fn carry_up(client: &Socket, early: Bytes, engine: &Socket) -> io::Result<()> {
    engine.write_all(&early).await?;
    drop(early);
    loop {
        // A silent stream holds no buffer.
        client.readable().await?;
        let mut buffer = BytesMut::with_capacity(BUFFER_BYTES);
        if client.read_into(&mut buffer).await? == 0 {
            return Ok(());
        }
        engine.write_all(&buffer).await?;
    }
}

async fn carry_down(
    engine: &mut EngineEnd,
    answer_head: Bytes,
    client: &Socket,
    bytes_out: &AtomicU64,
) -> io::Result<()> {
    client.write_all(&answer_head).await?;
    drop(answer_head);
    let mut buffer = BytesMut::new();
    while let Some(bytes) = engine.read(&mut buffer).await? {
        client.write_all(&bytes).await?;
        bytes_out.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}
