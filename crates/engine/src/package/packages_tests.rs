use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::super::hostile::{RawEntry, raw_zip};
use super::*;

/// A cache over zips in memory, which counts how often one is read.
struct Fixture {
    directory: TempDir,
    zips: Arc<Mutex<HashMap<String, Bytes>>>,
    reads: Arc<AtomicUsize>,
}

impl Fixture {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), zips: Arc::default(), reads: Arc::default() }
    }

    fn source(&self) -> Source {
        let (zips, reads) = (self.zips.clone(), self.reads.clone());
        Source::from(Arc::new(move |code: &CodeRef| {
            reads.fetch_add(1, Ordering::SeqCst);
            let zips = zips.lock().unwrap();
            zips.get(&code.0).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        }))
    }

    fn code_dir(&self) -> PathBuf {
        self.directory.path().join("code")
    }

    fn open(&self) -> Packages {
        Packages::new(self.code_dir(), self.source()).unwrap()
    }

    fn add(&self, entries: &[RawEntry]) -> CodeRef {
        let zip = raw_zip(entries);
        let name: String = Sha256::digest(&zip).iter().map(|byte| format!("{byte:02x}")).collect();
        self.zips.lock().unwrap().insert(name.clone(), zip);
        CodeRef(name)
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

/// Every path beneath `root`, with its content, `/` for a directory, or `-> target`.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut tree = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let what = if metadata.is_dir() {
                pending.push(path);
                "/".to_owned()
            } else if metadata.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                fs::read_to_string(&path).unwrap()
            };
            tree.insert(name, what);
        }
    }
    tree
}

fn expected(nodes: &[(&str, &str)]) -> BTreeMap<String, String> {
    nodes.iter().map(|(path, what)| ((*path).to_owned(), (*what).to_owned())).collect()
}

#[tokio::test]
async fn a_package_is_unpacked_with_its_files_directories_and_links() {
    let fixture = Fixture::new();
    let code = fixture.add(&[
        RawEntry::file("index.py", b"code"),
        RawEntry::file("lib/deep/x.py", b"x"),
        RawEntry::file("empty/", b"").mode(0o040_700),
        RawEntry::link("lib64", "lib"),
    ]);
    let path = fixture.open().unpacked(&code).await.unwrap();
    assert_eq!(path, fixture.code_dir().join(&code.0));
    let nodes = [
        ("index.py", "code"),
        ("lib", "/"),
        ("lib/deep", "/"),
        ("lib/deep/x.py", "x"),
        ("empty", "/"),
        ("lib64", "-> lib"),
    ];
    assert_eq!(tree(&path), expected(&nodes));
}

#[tokio::test]
async fn everyone_may_read_and_only_what_was_executable_may_be_run() {
    let fixture = Fixture::new();
    let code = fixture.add(&[
        RawEntry::file("private", b"").mode(0o100_600),
        RawEntry::file("unknown", b"").mode(0),
        RawEntry::file("bootstrap", b"").mode(0o100_700),
        RawEntry::file("setuid", b"").mode(0o106_755),
        RawEntry::file("open/x", b"").mode(0o100_666),
        RawEntry::file("open/", b"").mode(0o041_777),
    ]);
    let path = fixture.open().unpacked(&code).await.unwrap();
    for (name, mode) in [
        ("private", 0o644),
        ("unknown", 0o644),
        ("bootstrap", 0o755),
        ("setuid", 0o755),
        ("open/x", 0o644),
        ("open", 0o755),
        ("", 0o755),
    ] {
        let found = fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(found, mode, "{name}: {found:o}");
    }
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_unpack() {
    let fixture = Fixture::new();
    let code = fixture.add(&[RawEntry::file("index.py", b"code")]);
    let packages = fixture.open();
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (packages, code) = (packages.clone(), code.clone());
            tokio::spawn(async move { packages.unpacked(&code).await.unwrap() })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap().join("index.py").is_file());
    }
    assert_eq!(fixture.reads(), 1);
}

#[tokio::test]
async fn a_restart_finds_what_was_unpacked() {
    let fixture = Fixture::new();
    let code = fixture.add(&[RawEntry::file("index.py", b"code")]);
    fixture.open().unpacked(&code).await.unwrap();
    fixture.open().unpacked(&code).await.unwrap();
    assert_eq!(fixture.reads(), 1);
}

#[tokio::test]
async fn after_the_machine_has_booted_nothing_unpacked_is_trusted() {
    let fixture = Fixture::new();
    let code = fixture.add(&[RawEntry::file("index.py", b"code")]);
    let path = fixture.open().unpacked(&code).await.unwrap();
    fs::write(path.join("index.py"), "").unwrap();
    fs::write(fixture.code_dir().join(BOOT_MARKER), "another boot").unwrap();
    let path = fixture.open().unpacked(&code).await.unwrap();
    assert_eq!(fs::read_to_string(path.join("index.py")).unwrap(), "code");
}

#[test]
fn leftovers_of_a_crash_are_deleted_at_start() {
    let fixture = Fixture::new();
    fixture.open();
    let leftover = fixture.code_dir().join(".making-1/lib");
    fs::create_dir_all(&leftover).unwrap();
    fs::write(leftover.join("half"), "x").unwrap();
    fs::create_dir_all(fixture.code_dir().join(".removed-1")).unwrap();
    let kept = fixture.code_dir().join("a".repeat(64));
    fs::create_dir(&kept).unwrap();
    let leftovers = find_leftovers(&fixture.code_dir(), &boot_id()).unwrap();
    leftovers.iter().for_each(|path| delete(path));
    assert!(kept.is_dir());
    assert_eq!(fs::read_dir(fixture.code_dir()).unwrap().count(), 2, "the package and the boot marker");
}

#[tokio::test]
async fn a_failed_unpack_leaves_nothing_and_may_be_repeated() {
    let fixture = Fixture::new();
    let mut damaged =
        raw_zip(&[RawEntry::file("first", b"aaaa"), RawEntry::file("second", b"bbbb")]).to_vec();
    let content = damaged.windows(4).position(|window| window == b"bbbb").unwrap();
    damaged[content] = b'x';
    let code = CodeRef("c".repeat(64));
    fixture.zips.lock().unwrap().insert(code.0.clone(), damaged.into());
    let packages = fixture.open();
    let error = packages.unpacked(&code).await.unwrap_err();
    assert!(matches!(error, UnpackError::Package(PackageError::Unreadable { .. })), "{error:?}");
    assert_eq!(fs::read_dir(fixture.code_dir()).unwrap().count(), 1, "only the boot marker");

    fixture.zips.lock().unwrap().insert(code.0.clone(), raw_zip(&[RawEntry::file("a", b"good")]));
    assert!(packages.unpacked(&code).await.unwrap().join("a").is_file());
}

#[tokio::test]
async fn a_package_that_is_not_stored_or_not_named_by_a_hash_is_an_error() {
    let fixture = Fixture::new();
    let packages = fixture.open();
    let missing = packages.unpacked(&CodeRef("d".repeat(64))).await.unwrap_err();
    assert!(matches!(missing, UnpackError::Blob { .. }), "{missing:?}");
    for name in ["", "../../etc", &"D".repeat(64), &"d".repeat(63)] {
        let wrong = packages.unpacked(&CodeRef(name.to_owned())).await.unwrap_err();
        assert!(matches!(wrong, UnpackError::Reference(_)), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_removed_package_is_gone_and_can_come_back() {
    let fixture = Fixture::new();
    let code = fixture.add(&[RawEntry::file("index.py", b"code")]);
    let packages = fixture.open();
    let path = packages.unpacked(&code).await.unwrap();
    packages.remove(&code).await.unwrap();
    assert!(!path.exists());
    assert_eq!(fs::read_dir(fixture.code_dir()).unwrap().count(), 1, "only the boot marker");
    packages.remove(&code).await.unwrap();
    assert!(packages.unpacked(&code).await.unwrap().join("index.py").is_file());
}

#[tokio::test]
async fn layers_are_unpacked_in_order_and_the_later_file_wins() {
    let fixture = Fixture::new();
    let outside = fixture.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let lower = fixture.add(&[
        RawEntry::file("both", b"lower"),
        RawEntry::file("only-lower", b"lower"),
        RawEntry::file("becomes-file/x", b"lower"),
        RawEntry::file("becomes-directory", b"lower"),
        RawEntry::link("was-link", "/tmp"),
        RawEntry::link("was-file-link", "both"),
    ]);
    let upper = fixture.add(&[
        RawEntry::file("both", b"upper"),
        RawEntry::file("becomes-file", b"upper"),
        RawEntry::file("becomes-directory/x", b"upper"),
        RawEntry::file("was-link/x", b"upper"),
        RawEntry::file("was-file-link", b"upper"),
    ]);
    let packages = fixture.open();
    let path = packages.merged(&[lower.clone(), upper.clone()]).await.unwrap();
    let nodes = [
        ("both", "upper"),
        ("only-lower", "lower"),
        ("becomes-file", "upper"),
        ("becomes-directory", "/"),
        ("becomes-directory/x", "upper"),
        ("was-link", "/"),
        ("was-link/x", "upper"),
        ("was-file-link", "upper"),
    ];
    assert_eq!(tree(&path), expected(&nodes));
    let reversed = packages.merged(&[upper, lower]).await.unwrap();
    assert_ne!(path, reversed);
    assert_eq!(fs::read_to_string(reversed.join("both")).unwrap(), "lower");
}

#[tokio::test]
async fn one_layer_alone_is_its_own_directory() {
    let fixture = Fixture::new();
    let layer = fixture.add(&[RawEntry::file("x", b"x")]);
    let packages = fixture.open();
    let layers = std::slice::from_ref(&layer);
    assert_eq!(packages.merged(layers).await.unwrap(), packages.unpacked(&layer).await.unwrap());
}

#[tokio::test]
async fn only_what_is_kept_stays() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.add(&[RawEntry::file("a", b"")]), fixture.add(&[RawEntry::file("b", b"")]));
    let packages = fixture.open();
    let (a_path, b_path) = (packages.unpacked(&a).await.unwrap(), packages.unpacked(&b).await.unwrap());
    let list = [a.clone(), b];
    let merged = packages.merged(&list).await.unwrap();
    let kept = [a.0, Packages::merged_name(&list).unwrap()];
    packages.retain(move |name| kept.iter().any(|kept| kept == name)).await.unwrap();
    assert!(a_path.is_dir() && merged.is_dir() && !b_path.exists());
}

#[tokio::test]
async fn packages_come_out_of_the_stores_blobs() {
    let directory = tempfile::tempdir().unwrap();
    let options = store::Options { location: store::Location::Ephemeral };
    let store = store::Store::open(&options).unwrap();
    let id = store.blobs().put(raw_zip(&[RawEntry::file("index.py", b"code")])).await.unwrap();
    let packages = Packages::new(directory.path(), store.blobs().clone()).unwrap();
    let path = packages.unpacked(&CodeRef(id.as_str().to_owned())).await.unwrap();
    assert_eq!(fs::read_to_string(path.join("index.py")).unwrap(), "code");
    let missing = packages.unpacked(&CodeRef("e".repeat(64))).await.unwrap_err();
    assert!(matches!(missing, UnpackError::Blob { .. }), "{missing:?}");
}
