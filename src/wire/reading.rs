//! What the fields of a head say of the message and its connection: one reading for clients and the engine.
//!
//! What RFC 9112 leaves to interpretation is unclear, and unclear is refused. Where the two senders are held to different rules, the
//! difference stands here, by [`Sender`], and in the table of the tests below.

use super::framing::{Chunk, Framing};
use crate::request::fields::{MAX_CONNECTION_OPTIONS, connection_options};

/// Whose head is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A request: without a length it has no body, and HTTP/1.0 has no chunks and asks for what HTTP/1.1 takes for granted.
    Client,
    /// An answer: without a length it goes on until the engine closes.
    Engine,
}

/// Why a head has more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unclear {
    /// A `Content-Length` that is not a plain number.
    Length,
    /// More than one `Content-Length`.
    Lengths,
    /// A `Transfer-Encoding` that is not one `chunked`, or that HTTP/1.0 does not have.
    Coding,
    /// A `Content-Length` beside a `Transfer-Encoding`.
    LengthAndCoding,
}

/// What was read so far of the fields of a head.
#[derive(Debug)]
pub struct Reading<'a> {
    sender: Sender,
    /// Whether it speaks HTTP/1.0.
    is_old: bool,
    length: Option<u64>,
    is_chunked: bool,
    /// The options of the connection, which name fields that belong to it.
    options: Vec<&'a [u8]>,
    upgrade: Option<&'a [u8]>,
}

impl<'a> Reading<'a> {
    /// The reading of a head of HTTP/1.0 or HTTP/1.1, by its minor version, without a field.
    pub fn new(sender: Sender, minor: u8) -> Self {
        let is_old = minor == 0;
        Self { sender, is_old, length: None, is_chunked: false, options: Vec::new(), upgrade: None }
    }

    /// Takes note of a field; blanks around its value were cut off.
    ///
    /// # Errors
    /// When two readers could find different ends of the message.
    pub fn note(&mut self, name: &str, value: &'a [u8]) -> Result<(), Unclear> {
        if name.eq_ignore_ascii_case("content-length") {
            let is_plain = value.len() <= 19 && value.iter().all(u8::is_ascii_digit);
            let digits = std::str::from_utf8(value).ok().filter(|_| is_plain);
            let length = digits.and_then(|digits| digits.parse().ok()).ok_or(Unclear::Length)?;
            if self.length.replace(length).is_some() {
                return Err(Unclear::Lengths);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            let has_none = self.is_old && self.sender == Sender::Client;
            if self.is_chunked || has_none || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Unclear::Coding);
            }
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            let is_text = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
            if self.sender == Sender::Client || value.iter().all(is_text) {
                self.options.extend(connection_options(value));
            } else {
                // What the engine means is unknown, so nothing comes behind it.
                self.options.push(b"close");
            }
        } else if name.eq_ignore_ascii_case("upgrade") {
            self.upgrade = Some(value);
        }
        Ok(())
    }

    /// Whether this is among the connection's options.
    pub fn says(&self, option: &[u8]) -> bool {
        self.options.iter().any(|it| it.eq_ignore_ascii_case(option))
    }

    /// Whether there are more options than are compared with each field.
    pub fn has_too_many_options(&self) -> bool {
        self.options.len() > MAX_CONNECTION_OPTIONS
    }

    /// What the last `Upgrade` field says.
    pub fn upgrade(&self) -> Option<&'a [u8]> {
        self.upgrade
    }

    /// How the end of the body is found, RFC 9112 section 6.3.
    ///
    /// # Errors
    /// When two readers could find different ends.
    pub fn framing(&self) -> Result<Framing, Unclear> {
        match (self.length, self.is_chunked, self.sender) {
            (Some(_), true, _) => Err(Unclear::LengthAndCoding),
            (Some(length), false, _) => Ok(Framing::Length(length)),
            (None, true, _) => Ok(Framing::Chunked(Chunk::Size)),
            (None, false, Sender::Client) => Ok(Framing::Length(0)),
            (None, false, Sender::Engine) => Ok(Framing::UntilClose),
        }
    }

    /// Whether another message may come behind this one, which ends so; RFC 9112 section 9.3.
    pub fn keeps(&self, framing: &Framing) -> bool {
        let may = match self.sender {
            Sender::Client => !self.is_old || self.says(b"keep-alive"),
            Sender::Engine => !self.is_old && *framing != Framing::UntilClose,
        };
        may && !self.says(b"close")
    }
}

#[cfg(test)]
mod tests {
    use super::Sender::{Client, Engine};
    use super::*;

    const CHUNKED: Framing = Framing::Chunked(Chunk::Size);

    /// The framing and whether the connection is kept, of fields as httparse gives them.
    fn read(sender: Sender, minor: u8, fields: &str) -> Result<(Framing, bool), Unclear> {
        let text = format!("{fields}\r\n");
        let mut room = [httparse::EMPTY_HEADER; 8];
        let (_, parsed) = httparse::parse_headers(text.as_bytes(), &mut room).unwrap().unwrap();
        let mut reading = Reading::new(sender, minor);
        for field in parsed {
            reading.note(field.name, field.value)?;
        }
        let framing = reading.framing()?;
        let keeps = reading.keeps(&framing);
        Ok((framing, keeps))
    }

    /// What both senders' heads with these fields mean.
    #[track_caller]
    fn check(fields: &str, want: &Result<(Framing, bool), Unclear>) {
        for sender in [Client, Engine] {
            assert_eq!(&read(sender, 1, fields), want, "{sender:?}: {fields:?}");
        }
    }

    #[test]
    fn both_senders_are_read_alike() {
        let kept = |framing| Ok((framing, true));
        check("Content-Length: 5\r\n", &kept(Framing::Length(5)));
        check("content-length:\t5 \t\r\n", &kept(Framing::Length(5)));
        check("Content-Length: 0000000000000000005\r\n", &kept(Framing::Length(5)));
        check(
            "Content-Length: 9999999999999999999\r\n",
            &kept(Framing::Length(9_999_999_999_999_999_999)),
        );
        for wrong in
            ["", "+5", "-1", "5, 5", "5,5", "0x5", "5 5", "5;", "00000000000000000005", "\u{665}"]
        {
            check(&format!("Content-Length: {wrong}\r\n"), &Err(Unclear::Length));
        }
        check("Content-Length: 5\r\nContent-Length: 5\r\n", &Err(Unclear::Lengths));
        check("Content-Length: 5\r\nCONTENT-LENGTH: 6\r\n", &Err(Unclear::Lengths));
        for coding in ["chunked", "Chunked", "\t chunked \t"] {
            check(&format!("Transfer-Encoding: {coding}\r\n"), &kept(CHUNKED));
        }
        for wrong in [
            "",
            "identity",
            "gzip, chunked",
            "chunked, chunked",
            "xchunked",
            "chunked;a=b",
            "\"chunked\"",
            "chunked,",
        ] {
            check(&format!("Transfer-Encoding: {wrong}\r\n"), &Err(Unclear::Coding));
        }
        let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
        check(twice, &Err(Unclear::Coding));
        for both in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        ] {
            check(both, &Err(Unclear::LengthAndCoding));
        }
        for close in ["close", "Close", "x, close", ",close,", "keep-alive, close"] {
            let fields = format!("Content-Length: 5\r\nConnection: {close}\r\n");
            check(&fields, &Ok((Framing::Length(5), false)));
        }
        check("Content-Length: 5\r\nConnection: closed\r\n", &kept(Framing::Length(5)));
    }

    /// Every difference there is.
    #[test]
    fn the_senders_differ_in_this() {
        let both = |minor, fields| [Client, Engine].map(|sender| read(sender, minor, fields));
        // Without a length: no body, or all that comes.
        assert_eq!(both(1, ""), [Ok((Framing::Length(0), true)), Ok((Framing::UntilClose, false))]);
        // HTTP/1.0 has no chunks; an engine that sends them means them.
        let chunked = "Transfer-Encoding: chunked\r\n";
        assert_eq!(both(0, chunked), [Err(Unclear::Coding), Ok((CHUNKED, false))]);
        // A client of HTTP/1.0 may ask for another message; the engine is not believed.
        let five = |keeps| Ok((Framing::Length(5), keeps));
        assert_eq!(both(0, "Content-Length: 5\r\n"), [five(false), five(false)]);
        let asks = "Content-Length: 5\r\nConnection: Keep-Alive\r\n";
        assert_eq!(both(0, asks), [five(true), five(false)]);
        // An option of other bytes than ASCII names no field of ours; from the engine it is the last thing that is read.
        let odd = "Content-Length: 5\r\nConnection: \u{e9}\r\n";
        assert_eq!(both(1, odd), [five(true), five(false)]);
    }

    #[test]
    fn options_and_upgrades_are_kept() {
        for sender in [Client, Engine] {
            let mut reading = Reading::new(sender, 1);
            for (name, value) in
                [("connection", "a, B"), ("Connection", "c"), ("UPGRADE", "x"), ("upgrade", "tcp")]
            {
                reading.note(name, value.as_bytes()).unwrap();
            }
            assert!(
                reading.says(b"A")
                    && reading.says(b"b")
                    && reading.says(b"c")
                    && !reading.says(b"d")
            );
            assert_eq!(reading.upgrade(), Some(&b"tcp"[..]));
            let many = ",x".repeat(MAX_CONNECTION_OPTIONS - 3);
            reading.note("connection", many.as_bytes()).unwrap();
            assert!(!reading.has_too_many_options());
            reading.note("connection", b"y").unwrap();
            assert!(reading.has_too_many_options());
        }
    }
}
