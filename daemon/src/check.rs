//! `trunkline check`: whatever would keep a process from starting with this configuration is said before one does.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::allow::Allow;
use crate::cli::Place;
use crate::config::{BoardAddress, Config};
use crate::door::SOCKET_PATH_OCTETS_MAX;
use crate::{announcements, far_ends, image, prompts};

/// The configuration, checked with all that it names: prompts are decoded, scenarios built, users looked up.
///
/// # Errors
/// What is wrong, with its line or file.
pub fn load(place: &Place) -> Result<Config> {
    let config = place.load()?;
    place.check_prompts(&config)?;
    let folder = place.prompt_folder(&config);
    prompts::load(folder.as_deref(), config.host.prompt_language())?;
    let path = place.config_path();
    let (_, unread) = announcements::load(&place.announcement_folder(&config));
    // The call server starts without them, and so may whoever asks first.
    for why in unread {
        crate::output::complain(format_args!("an announcement is left out: {why:#}"));
    }
    far_ends::check(&config, path.parent().unwrap_or(Path::new(".")))?;
    users(&config)?;
    for image in config.spans.board.iter().filter_map(|board| board.image.as_deref()) {
        image::version(image.as_ref())?;
    }
    for socket in sockets(place, &config) {
        let octets = socket.as_os_str().len();
        if octets > SOCKET_PATH_OCTETS_MAX {
            let limit = SOCKET_PATH_OCTETS_MAX;
            bail!(
                "{}: {octets} octets; the path of a socket has {limit} at most",
                socket.display()
            );
        }
    }
    Ok(config)
}

fn users(config: &Config) -> Result<()> {
    Allow::parse(config.media.allow.iter().map(|entry| entry.get_ref().as_str()))
        .context("[media] allow")?;
    Allow::parse(config.acd.allow.iter().map(String::as_str)).context("[acd] allow")?;
    Ok(())
}

/// Every socket that a process would make or open.
fn sockets(place: &Place, config: &Config) -> Vec<PathBuf> {
    let paths = place.paths();
    let boards = config.spans.board.iter().filter_map(|board| match board.address() {
        BoardAddress::VfioUser(path) => Some(paths.at(path)),
        BoardAddress::Pci(_) => None,
    });
    let emulated = config.emulate.board.iter().map(|board| paths.at(board.socket.get_ref()));
    let own = [paths.media_socket(), paths.acd_socket(), paths.emulate_socket()];
    own.into_iter().chain(boards).chain(emulated).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with a configuration that has `more` in it.
    fn place(folder: &Path, more: &str) -> Place {
        let text = format!(
            "[host]\nzone = \"cn\"\n{more}\n[[emulate.board]]\nmodel = \"TE410P\"\ngeneration = 5\n\
             socket = \"/run/b0\"\nclock = \"real\"\n\
             [[emulate.board.span]]\nfar_end = {{ kind = \"loopback\" }}\n"
        );
        let place = Place { root: folder.to_owned(), config: None, with_parent: None };
        std::fs::create_dir_all(folder.join("etc/trunkline")).unwrap();
        std::fs::write(place.config_path(), text).unwrap();
        place
    }

    #[test]
    fn what_would_keep_a_process_from_starting_is_said_by_the_check() {
        let folder = tempfile::tempdir().unwrap();
        load(&place(folder.path(), "")).unwrap();
        let said = |place: &Place| format!("{:#}", load(place).unwrap_err());

        let ghost = place(folder.path(), "[media]\nallow = [\"user:no-such-user-here\"]");
        assert!(
            said(&ghost).contains("[media] allow: `user:no-such-user-here`"),
            "{}",
            said(&ghost)
        );

        let prompts = folder.path().join("prompts");
        std::fs::create_dir_all(&prompts).unwrap();
        std::fs::write(prompts.join("welcome.wav"), b"RIFF and no more").unwrap();
        let broken = place(folder.path(), "[media]\nprompts = \"/prompts\"");
        assert!(said(&broken).contains("welcome.wav"), "{}", said(&broken));

        let far = folder.path().join("x".repeat(SOCKET_PATH_OCTETS_MAX));
        let long = place(&far, "");
        assert!(said(&long).contains("the path of a socket has 107"), "{}", said(&long));
    }

    #[test]
    fn a_scenario_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let more = "[[emulate.board]]\nmodel = \"TE410P\"\ngeneration = 5\nsocket = \"/run/b1\"\n\
             clock = \"real\"\n[[emulate.board.span]]\n\
             far_end = { kind = \"exchange\", scenario = \"mine.toml\" }\n";
        let error = format!("{:#}", load(&place(folder.path(), more)).unwrap_err());
        assert!(error.contains("mine.toml"), "{error}");
    }
}
