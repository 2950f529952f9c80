//! Long bodies.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context, ensure};

use crate::Effort;
use crate::contender::{Builds, Kind, Rules, Running};
use crate::engine::{FakeEngine, Population};
use crate::load::read_head;
use crate::table::{Better, Figure, Table, usual_pairs};

const FIGURES: &[Figure] = &[
    Figure { name: "MB/s", better: Better::More, digits: 0 },
    Figure { name: "CPU ms/GB", better: Better::Less, digits: 0 },
];

pub(super) fn run(builds: &Builds, effort: Effort) -> anyhow::Result<()> {
    let bytes: u64 = if effort.quick { 1 << 27 } else { 1 << 30 };
    let engine = FakeEngine::start(&Population::default())?;
    let kinds = [Kind::Direct, Kind::Sockwarden, Kind::Base, Kind::Haproxy, Kind::Peer];
    let running = Running::start_all(&kinds, builds, &engine, &Rules::default())?;
    for (name, carry) in [("down", down as fn(_, _, _) -> _), ("up", up)] {
        let mut table = Table::new(format!("{} MiB {name}", bytes >> 20), FIGURES);
        for round in 0..effort.rounds() {
            for index in 0..running.len() {
                let running = &running[(index + round) % running.len()];
                let (cpu, began) = (running.cpu(), Instant::now());
                carry(running, &engine, bytes)
                    .with_context(|| format!("{name} through {}", running.kind.name()))?;
                let took = began.elapsed().as_secs_f64();
                #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
                let bytes = bytes as f64;
                let cpu = (running.cpu() - cpu).as_secs_f64() * 1e3 / (bytes / 1e9);
                table.add(running.kind.name(), &[bytes / 1e6 / took, cpu]);
            }
        }
        table.print(&usual_pairs());
    }
    Ok(())
}

fn down(running: &Running, _: &FakeEngine, bytes: u64) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(running.address)?;
    let request = crate::load::request(&format!("GET /v1.41/containers/{bytes}/export"));
    stream.write_all(&request)?;
    read_head(&mut stream)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut payload = 0_u64;
    let mut tail = Vec::new();
    while !tail.ends_with(b"\r\n0\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        ensure!(count > 0, "the body ended after {payload} bytes");
        payload += count as u64;
        tail.extend_from_slice(&buffer[count.saturating_sub(7)..count]);
        tail.drain(..tail.len().saturating_sub(7));
    }
    ensure!(payload >= bytes, "only {payload} bytes came");
    Ok(())
}

fn up(running: &Running, engine: &FakeEngine, bytes: u64) -> anyhow::Result<()> {
    const PIECE_BYTES: usize = 32 * 1024;
    let before = engine.body_bytes();
    let mut stream = TcpStream::connect(running.address)?;
    stream.write_all(
        b"POST /v1.41/images/load HTTP/1.1\r\nHost: docker\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n",
    )?;
    let mut piece = format!("{PIECE_BYTES:x}\r\n").into_bytes();
    piece.resize(piece.len() + PIECE_BYTES, b'x');
    piece.extend_from_slice(b"\r\n");
    for _ in 0..bytes / PIECE_BYTES as u64 {
        stream.write_all(&piece)?;
    }
    stream.write_all(b"0\r\n\r\n")?;
    read_head(&mut stream)?;
    ensure!(engine.body_bytes() - before >= bytes, "the engine got only a part");
    Ok(())
}
