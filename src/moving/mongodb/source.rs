//! A dump, as a directory or as one file: which collections it has, and their documents.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::super::Error;
use super::{archive, frame};

/// Read at once from a file.
const PIECE: usize = 256 * 1024;

/// A database and a collection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Namespace {
    pub(super) db: String,
    pub(super) collection: String,
}

/// What a reader of a dump is told.
pub(super) enum Found<'a> {
    /// A document of a collection.
    Document(&'a [u8]),
    /// The rest of a collection cannot be read.
    Broken(String),
}

/// Looks at what is found in a collection.
pub(super) type Visit<'a> = dyn FnMut(&Namespace, Found<'_>) -> Result<(), Error> + 'a;

/// A dump.
pub(super) enum Source {
    /// A directory: each collection and its file.
    Directory(BTreeMap<Namespace, PathBuf>),
    /// One file, and the collections that its head names.
    Archive(PathBuf, Vec<Namespace>),
}

impl Source {
    /// Looks at a dump.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            let mut files = BTreeMap::new();
            collections(path, &mut files)?;
            for folder in entries(path)?.into_iter().filter(|path| path.is_dir()) {
                collections(&folder, &mut files)?;
            }
            return Ok(Self::Directory(files));
        }
        let mut file = open(path)?;
        let named = archive::head(&mut file, path)?;
        Ok(Self::Archive(path.to_owned(), named))
    }

    /// The collections that there are.
    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        match self {
            Self::Directory(files) => files.keys().cloned().collect(),
            Self::Archive(_, named) => named.clone(),
        }
    }

    /// Shows the documents of the collections that are wanted.
    pub(super) fn read(
        &self,
        wanted: &dyn Fn(&Namespace) -> bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), Error> {
        match self {
            Self::Directory(files) => files
                .iter()
                .filter(|(namespace, _)| wanted(namespace))
                .try_for_each(|(namespace, path)| read_file(namespace, path, visit)),
            Self::Archive(path, named) => {
                archive::read(&mut open(path)?, (path, named), wanted, visit)
            }
        }
    }
}

fn read_file(namespace: &Namespace, path: &Path, visit: &mut Visit<'_>) -> Result<(), Error> {
    let mut file = open(path)?;
    let (mut buffer, mut count) = (Vec::new(), 0_u64);
    loop {
        let next = frame::next(&mut file, &mut buffer);
        let why = match next.map_err(|source| Error::Read { path: path.to_owned(), source })? {
            frame::Next::Document => {
                count += 1;
                visit(namespace, Found::Document(&buffer))?;
                continue;
            }
            frame::Next::End => return Ok(()),
            frame::Next::Terminator => "there is a document of -1 bytes".to_owned(),
            frame::Next::Damaged(why) => why,
        };
        let why = format!("the rest cannot be read: after {count} documents {why}");
        return visit(namespace, Found::Broken(why));
    }
}

/// Opens a file; one that is compressed is read as what it was.
fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut magic = [0; 2];
    let is_short =
        frame::fill(&mut File::open(path).map_err(failed)?, &mut magic).map_err(failed)?;
    let file = BufReader::with_capacity(PIECE, File::open(path).map_err(failed)?);
    Ok(if is_short == 2 && magic == [0x1f, 0x8b] {
        Box::new(BufReader::with_capacity(PIECE, MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    })
}

/// Adds the collections of one database, whose folder has its name.
fn collections(folder: &Path, files: &mut BTreeMap<Namespace, PathBuf>) -> Result<(), Error> {
    let text = |path: &Path| {
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let db = std::fs::canonicalize(folder).map_or_else(|_| text(folder), |path| text(&path));
    for path in entries(folder)? {
        let name = text(&path);
        let stem = name.strip_suffix(".gz").unwrap_or(&name);
        if let Some(stem) = stem.strip_suffix(".bson").filter(|_| path.is_file()) {
            let namespace = Namespace { db: db.clone(), collection: unescaped(stem) };
            files.insert(namespace, path);
        }
    }
    Ok(())
}

/// The name of a collection: mongodump writes what file names cannot have as `%2F` and the like.
fn unescaped(stem: &str) -> String {
    percent_encoding::percent_decode_str(stem).decode_utf8_lossy().into_owned()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort_unstable();
    Ok(paths)
}
