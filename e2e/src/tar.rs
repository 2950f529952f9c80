//! The least of tar: what the tests upload is made here, so that no test depends on a tool.

/// What an entry is.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// A directory.
    Directory,
    /// A file with these permission bits and this content.
    File(u32, &'a [u8]),
    /// A symbolic link to this.
    Link(&'a str),
}

/// An archive of the named entries.
pub fn archive(entries: &[(&str, Entry<'_>)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, entry) in entries {
        match entry {
            Entry::Directory => tar.extend_from_slice(&header(name, 0o755, 0, '5', "")),
            Entry::Link(target) => tar.extend_from_slice(&header(name, 0o777, 0, '2', target)),
            Entry::File(mode, content) => {
                tar.extend_from_slice(&header(name, *mode, content.len() as u64, '0', ""));
                tar.extend_from_slice(content);
                tar.resize(tar.len().next_multiple_of(512), 0);
            }
        }
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// A ustar header block.
///
/// # Panics
/// When the name or the link does not fit into the block.
pub fn header(name: &str, mode: u32, length: u64, kind: char, link: &str) -> [u8; 512] {
    assert!(name.len() <= 100 && link.len() <= 100, "`{name}` is too long for this writer");
    let mut block = [0; 512];
    let mut put =
        |at: usize, text: &str| block[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{length:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(156, &kind.to_string());
    put(157, link);
    put(257, "ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// The content of the file `name` in an archive.
pub fn content<'a>(mut tar: &'a [u8], name: &str) -> Option<&'a [u8]> {
    while let Some((block, rest)) = tar.split_at_checked(512) {
        let text = |from: usize, to: usize| {
            let field = &block[from..to];
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            String::from_utf8_lossy(&field[..end]).trim().to_owned()
        };
        let length = usize::from_str_radix(&text(124, 136), 8).unwrap_or(0);
        if text(0, 100) == name {
            return rest.get(..length);
        }
        tar = rest.get(length.next_multiple_of(512)..)?;
    }
    None
}
