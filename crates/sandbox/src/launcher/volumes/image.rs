//! An empty ext4 file system as the few blocks of it that are not zero.
//!
//! Written here rather than by a program of the machine's, so that it is there everywhere, has exactly the size that
//! was asked for, and takes microseconds. No journal: nothing in it outlives its sandbox. No checksums and no flexible
//! groups: each group starts with its two bitmaps and its table of inodes, and only the first has a superblock.
//! <https://docs.kernel.org/filesystems/ext4/>

const BLOCK: usize = 4096;
pub(super) const BLOCK_BYTES: u32 = 4096;
const BLOCKS_PER_MIB: u64 = 256;
const BLOCKS_PER_GROUP: u64 = 8 * BLOCK as u64;
const INODE_BYTES: usize = 256;
/// One for each 16 KiB, as `mkfs.ext4` has it by default.
const INODES_PER_GROUP: u64 = 8192;
const INODE_TABLE_BLOCKS: u64 = INODES_PER_GROUP * INODE_BYTES as u64 / BLOCK as u64;
const DESCRIPTOR_BYTES: usize = 32;
/// Two bitmaps and the table.
const GROUP_OVERHEAD: u64 = 2 + INODE_TABLE_BLOCKS;
/// A last group with less than that is not worth its overhead.
const LAST_GROUP_MIN: u64 = 64;
const ROOT_INODE: u32 = 2;
/// The first ten are reserved; the root directory is one of them.
const RESERVED_INODES: u64 = 10;

mod feature {
    //! `EXT4_FEATURE_*` of fs/ext4/ext4.h.
    pub(super) const COMPAT_EXT_ATTR: u32 = 0x8;
    pub(super) const COMPAT_DIR_INDEX: u32 = 0x20;
    /// Copies of the superblock only where it says: nowhere.
    pub(super) const COMPAT_SPARSE_SUPER2: u32 = 0x200;
    pub(super) const INCOMPAT_FILETYPE: u32 = 0x2;
    pub(super) const INCOMPAT_EXTENTS: u32 = 0x40;
    pub(super) const RO_COMPAT_LARGE_FILE: u32 = 0x2;
    pub(super) const RO_COMPAT_HUGE_FILE: u32 = 0x8;
    pub(super) const RO_COMPAT_DIR_NLINK: u32 = 0x20;
    pub(super) const RO_COMPAT_EXTRA_ISIZE: u32 = 0x40;
}

/// A file system of one size.
#[derive(Debug)]
pub(super) struct Image {
    bytes: u64,
    /// Where they go, in order, and what is there.
    blocks: Vec<(u64, Vec<u8>)>,
}

/// Where everything is.
struct Layout {
    blocks: u64,
    groups: u64,
    descriptor_blocks: u64,
}

impl Layout {
    /// The smallest with room for so many blocks of files and directories.
    fn with_room_for(content: u64) -> Self {
        let mut descriptor_blocks = 1;
        loop {
            let first = BLOCKS_PER_GROUP - GROUP_OVERHEAD - 1 - descriptor_blocks;
            let other = BLOCKS_PER_GROUP - GROUP_OVERHEAD;
            let others = content.saturating_sub(first).div_ceil(other);
            let in_last = match others {
                0 => content,
                _ => content - first - (others - 1) * other,
            };
            let groups = others + 1;
            let needed = (groups * DESCRIPTOR_BYTES as u64).div_ceil(BLOCK as u64);
            if needed <= descriptor_blocks {
                let before = if others == 0 { 1 + descriptor_blocks } else { others * BLOCKS_PER_GROUP };
                let blocks = before + GROUP_OVERHEAD + in_last.max(LAST_GROUP_MIN);
                return Self { blocks, groups, descriptor_blocks };
            }
            descriptor_blocks = needed;
        }
    }

    /// Where a group's bitmaps begin: its first block, but for the first group.
    fn start(&self, group: u64) -> u64 {
        group * BLOCKS_PER_GROUP + if group == 0 { 1 + self.descriptor_blocks } else { 0 }
    }

    fn root_directory(&self) -> u64 {
        self.start(0) + GROUP_OVERHEAD
    }

    /// Blocks of a group, and how many of them are taken: those at its beginning.
    fn size_and_used(&self, group: u64) -> (u64, u64) {
        let base = group * BLOCKS_PER_GROUP;
        let size = (self.blocks - base).min(BLOCKS_PER_GROUP);
        let root = u64::from(group == 0);
        (size, self.start(group) - base + GROUP_OVERHEAD + root)
    }
}

impl Image {
    /// With `size_mib` for files and directories, all of it the given user's to write to, as `/tmp` is.
    pub(super) fn new(size_mib: u32, owner: u32) -> Self {
        let layout = Layout::with_room_for(u64::from(size_mib) * BLOCKS_PER_MIB);
        let mut blocks = vec![(0, superblock(&layout)), (1, descriptors(&layout))];
        for group in 0..layout.groups {
            let (size, used) = layout.size_and_used(group);
            let start = layout.start(group);
            blocks.push((start, bitmap(used, size)));
            let reserved = if group == 0 { RESERVED_INODES } else { 0 };
            blocks.push((start + 1, bitmap(reserved, INODES_PER_GROUP)));
            if group == 0 {
                blocks.push((start + 2, first_inodes(&layout, owner)));
                blocks.push((layout.root_directory(), root_directory()));
            }
        }
        Self { bytes: layout.blocks * BLOCK as u64, blocks }
    }

    /// Its size on a disk that keeps the zeros.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is to be written, and where; everything else is zero.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.blocks.iter().map(|(block, bytes)| (block * BLOCK as u64, bytes.as_slice()))
    }
}

/// Little-endian fields at fixed places.
struct Fields(Vec<u8>);

impl Fields {
    fn put(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn u16(&mut self, at: usize, value: u16) -> &mut Self {
        self.put(at, &value.to_le_bytes())
    }

    fn u32(&mut self, at: usize, value: u32) -> &mut Self {
        self.put(at, &value.to_le_bytes())
    }
}

/// Everything that is counted here fits: the launcher bounds the size.
fn low<T: TryFrom<u64>>(value: u64) -> T {
    T::try_from(value).ok().expect("bounded by the size of the file system")
}

fn superblock(layout: &Layout) -> Vec<u8> {
    let free: u64 =
        (0..layout.groups).map(|group| layout.size_and_used(group)).map(|(all, used)| all - used).sum();
    let mut block = Fields(vec![0; BLOCK]);
    let at = |offset: usize| 1024 + offset;
    block
        .u32(at(0x00), low(layout.groups * INODES_PER_GROUP))
        .u32(at(0x04), low(layout.blocks))
        .u32(at(0x0c), low(free))
        .u32(at(0x10), low(layout.groups * INODES_PER_GROUP - RESERVED_INODES))
        // The sizes of blocks and clusters, as powers of two from 1 KiB on.
        .u32(at(0x18), 2)
        .u32(at(0x1c), 2)
        .u32(at(0x20), low(BLOCKS_PER_GROUP))
        .u32(at(0x24), low(BLOCKS_PER_GROUP))
        .u32(at(0x28), low(INODES_PER_GROUP))
        .u16(at(0x36), u16::MAX)
        .u16(at(0x38), 0xef53)
        // Clean; errors are the caller's to see.
        .u16(at(0x3a), 1)
        .u16(at(0x3c), 1)
        .u32(at(0x4c), 1)
        .u32(at(0x54), low(RESERVED_INODES + 1))
        .u16(at(0x58), low(INODE_BYTES as u64))
        .u32(at(0x5c), feature::COMPAT_EXT_ATTR | feature::COMPAT_DIR_INDEX | feature::COMPAT_SPARSE_SUPER2)
        .u32(at(0x60), feature::INCOMPAT_FILETYPE | feature::INCOMPAT_EXTENTS)
        .u32(
            at(0x64),
            feature::RO_COMPAT_LARGE_FILE
                | feature::RO_COMPAT_HUGE_FILE
                | feature::RO_COMPAT_DIR_NLINK
                | feature::RO_COMPAT_EXTRA_ISIZE,
        )
        .put(at(0x78), b"tmp")
        // Names are hashed with half MD4, their bytes signed.
        .put(at(0xfc), &[1])
        .u16(at(0x15c), 32)
        .u16(at(0x15e), 32)
        .u32(at(0x160), 1);
    block.0
}

fn descriptors(layout: &Layout) -> Vec<u8> {
    let mut table = Fields(vec![0; low::<usize>(layout.descriptor_blocks) * BLOCK]);
    for group in 0..layout.groups {
        let at = low::<usize>(group) * DESCRIPTOR_BYTES;
        let (size, used) = layout.size_and_used(group);
        let (start, first) = (layout.start(group), group == 0);
        table
            .u32(at, low(start))
            .u32(at + 0x4, low(start + 1))
            .u32(at + 0x8, low(start + 2))
            .u16(at + 0xc, low(size - used))
            .u16(at + 0xe, low(INODES_PER_GROUP - if first { RESERVED_INODES } else { 0 }))
            .u16(at + 0x10, u16::from(first));
    }
    table.0
}

/// The first `used` of `count` are taken; what is beyond the count is, too.
fn bitmap(used: u64, count: u64) -> Vec<u8> {
    let (used, count) = (low::<usize>(used), low::<usize>(count));
    let taken = |bit: usize| bit < used || bit >= count;
    let byte = |index: usize| match (index * 8, index * 8 + 7) {
        (first, last) if taken(first) && taken(last) && (last < used || first >= count) => u8::MAX,
        (first, last) if first >= used && last < count => 0,
        (first, _) => (0..8).filter(|bit| taken(first + bit)).map(|bit| 1 << bit).sum(),
    };
    (0..BLOCK).map(byte).collect()
}

/// The first block of the table, with the root directory's inode.
fn first_inodes(layout: &Layout, owner: u32) -> Vec<u8> {
    const EXTENTS_FLAG: u32 = 0x8_0000;
    let mut block = Fields(vec![0; BLOCK]);
    let at = |offset: usize| (low::<usize>(u64::from(ROOT_INODE)) - 1) * INODE_BYTES + offset;
    let halves = (low(u64::from(owner & 0xffff)), low(u64::from(owner >> 16)));
    block
        .u16(at(0x00), 0o41777)
        .u16(at(0x02), halves.0)
        .u32(at(0x04), BLOCK_BYTES)
        .u16(at(0x18), halves.0)
        .u16(at(0x1a), 2)
        // In sectors.
        .u32(at(0x1c), BLOCK_BYTES / 512)
        .u32(at(0x20), EXTENTS_FLAG)
        // One extent of at most four: its first block is the directory's.
        .u16(at(0x28), 0xf30a)
        .u16(at(0x2a), 1)
        .u16(at(0x2c), 4)
        .u16(at(0x38), 1)
        .u32(at(0x3c), low(layout.root_directory()))
        .u16(at(0x78), halves.1)
        .u16(at(0x7a), halves.1)
        .u16(at(0x80), 32);
    block.0
}

fn root_directory() -> Vec<u8> {
    const DIRECTORY: u8 = 2;
    let mut block = Fields(vec![0; BLOCK]);
    let mut entry = |at: usize, length: u16, name: &[u8]| {
        let name_length = low(name.len() as u64);
        block
            .u32(at, ROOT_INODE)
            .u16(at + 4, length)
            .put(at + 6, &[name_length, DIRECTORY])
            .put(at + 8, name);
    };
    entry(0, 12, b".");
    entry(12, 4096 - 12, b"..");
    block.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(block: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(block[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn there_is_room_for_exactly_what_was_asked_for() {
        for size_mib in [1, 100, 125, 126, 127, 128, 512, 513, 1024, 10_240, 20_480, 1 << 20] {
            let image = Image::new(size_mib, 0);
            let first = image.parts().next().unwrap().1;
            let (blocks, free) = (u64::from(field(first, 1024 + 4)), u64::from(field(first, 1024 + 12)));
            assert_eq!(blocks * 4096, image.bytes());
            let wanted = u64::from(size_mib) * BLOCKS_PER_MIB;
            assert!(free + 1 >= wanted && free <= wanted + LAST_GROUP_MIN, "{size_mib} MiB: {free} blocks");
        }
    }

    #[test]
    fn a_bitmap_ends_in_what_does_not_exist() {
        let bits = bitmap(11, 21);
        assert_eq!(bits[..4], [0xff, 0x07, 0xe0, 0xff]);
        assert_eq!(bits.len(), BLOCK);
        assert!(bitmap(0, 8 * BLOCK as u64).iter().all(|byte| *byte == 0));
        assert_eq!(bitmap(3, 5)[0], 0b1110_0111);
    }

    /// Where the machine has e2fsprogs, its checker has nothing to say but that there is no lost+found.
    #[test]
    fn the_checker_of_ext4_finds_nothing_wrong() {
        use std::os::unix::fs::FileExt;
        for size_mib in [64, 512, 700, 10_240] {
            let image = Image::new(size_mib, 100_000);
            let file = tempfile::NamedTempFile::new().unwrap();
            file.as_file().set_len(image.bytes()).unwrap();
            image.parts().for_each(|(at, bytes)| file.as_file().write_all_at(bytes, at).unwrap());
            let checked =
                std::process::Command::new("/sbin/e2fsck").args(["-f", "-n"]).arg(file.path()).output();
            let Ok(checked) = checked else { return };
            let said = String::from_utf8_lossy(&checked.stdout);
            let known = |line: &&str| line.starts_with("Pass ") || line.starts_with("/lost+found not found");
            let summary =
                |line: &&str| line.contains(" files (") || line.is_empty() || line.contains("WARNING");
            let findings: Vec<_> = said.lines().filter(|line| !known(line) && !summary(line)).collect();
            assert!(findings.is_empty(), "{size_mib} MiB: {said}");
        }
    }
}
