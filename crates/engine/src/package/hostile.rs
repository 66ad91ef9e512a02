//! Zips that no tool would make, written by hand, and what becomes of them.

use std::io::{Cursor, Write};

use bytes::Bytes;
use domain::limits::{UNZIPPED_BYTES, ZIP_BYTES};
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{ENTRIES_MAX, Info, PackageError, inspect};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// One entry, exactly as it will stand in the zip.
#[derive(Clone, Debug)]
pub(super) struct RawEntry {
    pub(super) name: Vec<u8>,
    pub(super) mode: u32,
    flags: u16,
    method: u16,
    data: Vec<u8>,
    crc: u32,
    packed_bytes: u32,
    unpacked_bytes: u32,
}

impl RawEntry {
    pub(super) fn file(name: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let size = u32::try_from(content.len()).unwrap();
        Self {
            name: name.as_ref().to_vec(),
            mode: 0o100_644,
            flags: 0x800, // the name is UTF-8
            method: STORED,
            crc: crc32(content),
            packed_bytes: size,
            unpacked_bytes: size,
            data: content.to_vec(),
        }
    }

    pub(super) fn link(name: &str, target: &str) -> Self {
        Self::file(name, target.as_bytes()).mode(0o120_777)
    }

    pub(super) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (0u32.wrapping_sub(crc & 1))))
    })
}

pub(super) fn raw_zip(entries: &[RawEntry]) -> Bytes {
    let (mut zip, mut central) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = u32::try_from(zip.len()).unwrap();
        let mut common = Vec::new();
        for short in [entry.flags, entry.method, 0, 0x21] {
            common.extend_from_slice(&short.to_le_bytes());
        }
        for long in [entry.crc, entry.packed_bytes, entry.unpacked_bytes] {
            common.extend_from_slice(&long.to_le_bytes());
        }
        common.extend_from_slice(&u16::try_from(entry.name.len()).unwrap().to_le_bytes());
        common.extend_from_slice(&0u16.to_le_bytes());
        zip.extend_from_slice(b"PK\x03\x04\x14\x00");
        zip.extend_from_slice(&common);
        zip.extend_from_slice(&entry.name);
        zip.extend_from_slice(&entry.data);
        central.extend_from_slice(b"PK\x01\x02\x14\x03\x14\x00"); // made on Unix, so that the mode counts
        central.extend_from_slice(&common);
        central.extend_from_slice(&[0; 6]);
        central.extend_from_slice(&(entry.mode << 16).to_le_bytes());
        central.extend_from_slice(&offset.to_le_bytes());
        central.extend_from_slice(&entry.name);
    }
    let count = u16::try_from(entries.len()).unwrap();
    let start = u32::try_from(zip.len()).unwrap();
    zip.extend_from_slice(&central);
    zip.extend_from_slice(b"PK\x05\x06\x00\x00\x00\x00");
    zip.extend_from_slice(&count.to_le_bytes());
    zip.extend_from_slice(&count.to_le_bytes());
    zip.extend_from_slice(&u32::try_from(central.len()).unwrap().to_le_bytes());
    zip.extend_from_slice(&start.to_le_bytes());
    zip.extend_from_slice(&0u16.to_le_bytes());
    zip.into()
}

/// Zeros, deflated a thousandfold.
fn bomb(bytes: usize) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("zeros", SimpleFileOptions::default()).unwrap();
    zip.write_all(&vec![0; bytes]).unwrap();
    zip.finish().unwrap().into_inner()
}

#[track_caller]
fn check_refused(entries: &[RawEntry], why: &str) {
    match inspect(&raw_zip(entries)) {
        Err(PackageError::Refused { why: found, .. }) => assert_eq!(found, why),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_accepted(entries: &[RawEntry], unpacked_bytes: u64) {
    assert_eq!(inspect(&raw_zip(entries)), Ok(Info { unpacked_bytes }));
}

#[track_caller]
fn check_unreadable(zip: impl Into<Bytes>) {
    let error = inspect(&zip.into()).unwrap_err();
    assert!(matches!(error, PackageError::Unreadable { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    );
}

#[test]
fn a_plain_package_is_accepted_and_measured() {
    check_accepted(&[RawEntry::file("index.py", b"12345"), RawEntry::file("lib/a.py", b"123")], 8);
}

#[test]
fn directories_may_be_named_or_implied_or_both() {
    let directory = RawEntry::file("a/", b"").mode(0o040_755);
    check_accepted(&[directory.clone(), RawEntry::file("a/b", b"x")], 1);
    check_accepted(&[RawEntry::file("a/b", b"x"), directory.clone()], 1);
    check_accepted(&[RawEntry::file("./a//b", b"x"), directory], 1);
    check_accepted(&[RawEntry::file("no-slash", b"").mode(0o040_755), RawEntry::file("no-slash/b", b"x")], 1);
}

#[test]
fn an_empty_upload_or_archive_is_named_as_such() {
    for zip in [Bytes::new(), raw_zip(&[])] {
        let error = inspect(&zip).unwrap_err();
        assert_eq!(error, PackageError::Empty);
        assert_eq!(error.to_string(), "Uploaded file must be a non-empty zip");
    }
}

#[test]
fn a_zip_of_50_mib_is_too_large_before_it_is_read() {
    let bytes = usize::try_from(ZIP_BYTES).unwrap();
    let error = inspect(&vec![0; bytes].into()).unwrap_err();
    assert_eq!(error.to_string(), "Zipped size must be smaller than 52428800 bytes");
    check_unreadable(vec![0; bytes - 1]);
}

#[test]
fn what_is_no_zip_or_only_a_part_of_one_is_unreadable() {
    check_unreadable("def handler(event, context): return 1");
    let zip = raw_zip(&[RawEntry::file("index.py", b"content")]);
    for length in 1..zip.len() {
        check_unreadable(zip.slice(..length));
    }
}

#[test]
fn a_wrong_checksum_is_unreadable() {
    let mut entry = RawEntry::file("index.py", b"content");
    entry.crc ^= 1;
    check_unreadable(raw_zip(&[entry]));
}

#[test]
fn a_package_that_declares_250_mib_is_too_large() {
    let mut entry = RawEntry::file("zeros", b"x");
    entry.unpacked_bytes = u32::try_from(UNZIPPED_BYTES).unwrap();
    let error = inspect(&raw_zip(std::slice::from_ref(&entry))).unwrap_err();
    assert_eq!(error.to_string(), "Unzipped size must be smaller than 262144000 bytes");
    // One byte less is within the limit, and then what counts is what is there.
    entry.unpacked_bytes -= 1;
    check_accepted(&[entry], 1);
}

#[test]
fn sizes_whose_sum_overflows_are_too_large() {
    let mut entry = RawEntry::file("a", b"x");
    entry.unpacked_bytes = u32::MAX;
    let mut other = entry.clone();
    other.name = b"b".to_vec();
    assert_eq!(inspect(&raw_zip(&[entry, other])), Err(PackageError::UnzippedTooLarge));
}

#[test]
fn a_bomb_that_lies_about_its_size_is_found_out_early() {
    let mut zip = bomb(4 << 20);
    // The declared size stands 24 bytes into the record of the central directory.
    let record = zip.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    zip[record + 24..record + 28].copy_from_slice(&10u32.to_le_bytes());
    check_unreadable(zip);
}

#[test]
fn entries_that_share_their_bytes_are_unreadable() {
    let zip = raw_zip(&[RawEntry::file("a", &[7; 1_000])]).to_vec();
    let central = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let end = zip.windows(4).position(|window| window == b"PK\x05\x06").unwrap();
    // A thousand records, differently named, of the one local entry.
    let mut many = zip[..central].to_vec();
    for index in 0..1_000u16 {
        let mut record = zip[central..end - 1].to_vec();
        record[28..30].copy_from_slice(&4u16.to_le_bytes());
        record.extend_from_slice(format!("{index:04}").as_bytes());
        many.extend_from_slice(&record);
    }
    let directory_bytes = u32::try_from(many.len() - central).unwrap();
    let mut tail = zip[end..].to_vec();
    tail[8..10].copy_from_slice(&1_000u16.to_le_bytes());
    tail[10..12].copy_from_slice(&1_000u16.to_le_bytes());
    tail[12..16].copy_from_slice(&directory_bytes.to_le_bytes());
    many.extend_from_slice(&tail);
    check_unreadable(many);
}

#[test]
fn more_entries_than_any_package_has_are_refused_before_they_are_read() {
    let mut zip = raw_zip(&[RawEntry::file("a", b"x")]).to_vec();
    let mut records = b"PK\x01\x02".repeat(ENTRIES_MAX);
    records.append(&mut zip);
    assert_eq!(inspect(&records.into()), Err(PackageError::TooManyEntries));
}

#[test]
fn directories_implied_by_deep_paths_count_as_entries() {
    let entries: Vec<_> =
        (0..100).map(|index| RawEntry::file(format!("{index}/{}", "d/".repeat(1_400)), b"")).collect();
    assert_eq!(inspect(&raw_zip(&entries)), Err(PackageError::TooManyEntries));
}

#[test]
fn paths_out_of_the_package_are_refused() {
    check_refused(&[RawEntry::file("../../etc/cron.d/x", b"x")], "leads outside the package");
    check_refused(&[RawEntry::file("a/../../x", b"x")], "leads outside the package");
    check_refused(&[RawEntry::file("/etc/cron.d/x", b"x")], "is an absolute path");
    check_refused(
        &[RawEntry::file("..\\x", b"x")],
        "has a backslash in its path; make the zip with forward slashes",
    );
    check_refused(&[RawEntry::file("a\0.py", b"x")], "has a zero byte in its name");
}

#[test]
fn a_message_shows_the_entry_and_the_reason() {
    let error = inspect(&raw_zip(&[RawEntry::file("../x", b"x")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Could not unzip uploaded file. Please check your file, then try to upload again. \
         (\"../x\" leads outside the package)"
    );
}

#[test]
fn links_are_judged_by_where_they_lead() {
    check_accepted(&[RawEntry::link("lib64", "lib"), RawEntry::link(".cache", "/tmp/cache")], 0);
    check_refused(&[RawEntry::link("x", "/etc/shadow")], "is a symbolic link that leads outside the package");
    check_refused(&[RawEntry::link("a/x", "../../b")], "is a symbolic link that leads outside the package");
}

#[test]
fn nothing_may_lie_beneath_a_link_or_a_file() {
    let why = "lies beneath a file or a symbolic link";
    check_refused(&[RawEntry::link("d", "/tmp"), RawEntry::file("d/x", b"x")], why);
    check_refused(&[RawEntry::file("d", b""), RawEntry::file("d/x", b"x")], why);
}

#[test]
fn a_name_used_for_two_kinds_of_things_is_refused() {
    let why = "is there twice, as different things";
    check_refused(&[RawEntry::file("d/x", b"x"), RawEntry::file("d", b"")], why);
    check_refused(&[RawEntry::file("d/x", b"x"), RawEntry::link("d", "/tmp")], why);
    check_refused(&[RawEntry::file("./x", b"x"), RawEntry::link("x", "/tmp")], why);
}

#[test]
fn of_two_files_with_one_name_the_last_counts() {
    check_accepted(&[RawEntry::file("x", b"1"), RawEntry::file("./x", b"22")], 2);
    check_accepted(&[RawEntry::file("x", b"1"), RawEntry::file("x", b"22")], 2);
}

#[test]
fn devices_pipes_and_sockets_are_refused() {
    for kind in [0o020_000, 0o060_000, 0o010_000, 0o140_000] {
        check_refused(
            &[RawEntry::file("x", b"").mode(kind | 0o666)],
            "is neither a file nor a directory nor a symbolic link",
        );
    }
}

#[test]
fn encrypted_entries_are_refused() {
    let mut entry = RawEntry::file("secret.py", b"x");
    entry.flags |= 1;
    check_refused(&[entry], "is encrypted");
}

#[test]
fn an_unknown_compression_is_unreadable() {
    let mut entry = RawEntry::file("x", b"x");
    entry.method = 99;
    check_unreadable(raw_zip(&[entry]));
}

fn hostile_entry() -> impl Strategy<Value = RawEntry> {
    let name = prop_oneof!["[a-c./]{0,8}", "(\\.\\./){0,2}[ab]", Just("lib/x".to_owned()), any::<String>()];
    let mode =
        prop_oneof![Just(0o100_644), Just(0o120_777), Just(0o040_755), any::<u16>().prop_map(u32::from)];
    let content = prop::collection::vec(any::<u8>(), 0..20);
    let method = prop_oneof![Just(STORED), Just(DEFLATED)];
    let lie = prop_oneof![8 => Just(None), 1 => any::<u32>().prop_map(Some)];
    (name, mode, content, method, lie.clone(), lie).prop_map(
        |(name, mode, content, method, packed, unpacked)| {
            let name: String = name.chars().take(100).collect();
            let mut entry = RawEntry::file(name, &content).mode(mode);
            entry.method = method;
            entry.packed_bytes = packed.unwrap_or(entry.packed_bytes);
            entry.unpacked_bytes = unpacked.unwrap_or(entry.unpacked_bytes);
            entry
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(inspect(&bytes.into()).is_err());
    }

    #[test]
    fn a_damaged_zip_gets_an_answer(
        entries in prop::collection::vec(hostile_entry(), 0..6),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut zip = raw_zip(&entries).to_vec();
        for (index, byte) in damage {
            let index = index.index(zip.len());
            zip[index] = byte;
        }
        if let Ok(info) = inspect(&zip.into()) {
            prop_assert!(info.unpacked_bytes < UNZIPPED_BYTES);
        }
    }

    #[test]
    fn whatever_is_accepted_unpacks_beneath_its_directory_and_nowhere_else(
        entries in prop::collection::vec(hostile_entry(), 1..6),
    ) {
        let zip = raw_zip(&entries);
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("a/b/root");
        std::fs::create_dir_all(root.parent().unwrap()).unwrap();
        super::unpack::make_root(&root).unwrap();
        let unpacked = super::unpack::unpack_over(&zip, &root);
        prop_assert_eq!(inspect(&zip).is_ok(), unpacked.is_ok(), "{:?}", unpacked);
        for (directory, only) in [(outside.path().to_owned(), "a"), (outside.path().join("a"), "b"),
                                  (outside.path().join("a/b"), "root")] {
            let names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            prop_assert_eq!(names, vec![only]);
        }
    }
}
