//! Skipping a step whose inputs have not changed.
//!
//! A stamp is a hash of the *content* of all inputs, kept after the step has succeeded. Times of modification would be
//! quicker to compare, and wrong after a checkout; our inputs are small enough to read.

use std::{
    fs,
    hash::{DefaultHasher, Hasher},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::project::Project;

/// Folders below an input that are made, not written.
const NOT_INPUTS: [&str; 5] = ["node_modules", "dist", "pkg", "pkg-packing", "artifacts"];

pub(crate) struct Stamp {
    file: PathBuf,
    hash: String,
}

impl Stamp {
    /// `recipe` stands for everything but files that the result depends on: options, and the code that runs the step.
    pub(crate) fn of(project: &Project, step: &str, recipe: &str, inputs: &[PathBuf]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        hasher.write(recipe.as_bytes());
        for input in inputs {
            hash_tree(input, &mut hasher).with_context(|| format!("cannot read {}", input.display()))?;
        }
        let file = project.target.join("stamps").join(step);
        Ok(Self { file, hash: format!("{:016x}", hasher.finish()) })
    }

    /// Whether the step ran with these very inputs, and what it made is still there.
    pub(crate) fn is_current(&self, outputs: &[PathBuf]) -> bool {
        outputs.iter().all(|output| output.exists())
            && fs::read_to_string(&self.file).is_ok_and(|saved| saved == self.hash)
    }

    /// Called before the step touches its outputs: a step that is interrupted must run again.
    pub(crate) fn forget(&self) {
        // There is usually none.
        let _ = fs::remove_file(&self.file);
    }

    pub(crate) fn save(&self) -> Result<()> {
        let folder = self.file.parent().context("a stamp has a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&self.file, &self.hash))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

/// Feeds a file, or all files below a folder in the order of their names. What is missing counts as empty, so that its
/// appearance is a change.
fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> std::io::Result<()> {
    hasher.write(path.as_os_str().as_encoded_bytes());
    if path.is_dir() {
        let mut children = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        children.sort();
        children.retain(|child| !NOT_INPUTS.iter().any(|name| child.ends_with(name)));
        children.iter().try_for_each(|child| hash_tree(child, hasher))
    } else if path.is_file() {
        let content = fs::read(path)?;
        hasher.write_usize(content.len());
        hasher.write(&content);
        Ok(())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_an_input_changes_or_an_output_is_gone() {
        let folder = std::env::temp_dir().join(format!("pleach-stamp-{}", std::process::id()));
        let (input, output) = (folder.join("input/file"), folder.join("output"));
        fs::create_dir_all(input.parent().unwrap()).unwrap();
        fs::write(&input, "one").unwrap();
        fs::write(&output, "made").unwrap();
        let project = Project { root: folder.clone(), target: folder.join("target") };
        let stamp = || Stamp::of(&project, "step", "recipe", &[folder.join("input")]).unwrap();
        let outputs = [output.clone()];

        assert!(!stamp().is_current(&outputs));
        stamp().save().unwrap();
        assert!(stamp().is_current(&outputs));
        fs::write(&input, "two").unwrap();
        assert!(!stamp().is_current(&outputs));
        stamp().save().unwrap();
        fs::remove_file(&output).unwrap();
        assert!(!stamp().is_current(&outputs));

        fs::remove_dir_all(&folder).unwrap();
    }
}
