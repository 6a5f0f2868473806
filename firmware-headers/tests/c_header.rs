//! The constants of this crate as a C header, for programs that are not written in Rust.
//!
//! `include/trunkline_boards.h` is made here and held equal here. After a change of a constant:
//! `UPDATE_HEADER=1 cargo test -p firmware-headers --test c_header`, twice: the first run writes down which constants
//! there are, the second what they are.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use firmware_headers::model::Model;
use firmware_headers::{image, model};

#[path = "c_header/table.rs"]
mod table;

/// The modules whose constants go over, with their sources.
const MODULES: [(&str, &str); 6] = [
    ("pci", include_str!("../src/pci.rs")),
    ("wct4xxp", include_str!("../src/wct4xxp.rs")),
    ("falc", include_str!("../src/falc.rs")),
    ("dma", include_str!("../src/dma.rs")),
    ("image", include_str!("../src/image.rs")),
    ("model", include_str!("../src/model.rs")),
];

/// The public constants that are neither numbers nor registers: each is written down by a line of its own below.
const OTHERS: [&str; 7] =
    ["MAGIC", "TE405P_GEN5", "TE410P_GEN5", "TE410P_GEN2", "TE210P_GEN5", "TE820", "MODELS"];

/// A constant of a source: its name, its documentation, and whether it is a register.
struct Constant {
    name: String,
    says: String,
    register: bool,
}

/// The public constants of a source that are numbers or registers.
fn constants(source: &str) -> Vec<Constant> {
    let (mut found, mut says) = (Vec::new(), String::new());
    for line in source.lines() {
        if let Some(words) = line.strip_prefix("/// ") {
            says = format!("{says} {words}").trim().to_owned();
            continue;
        }
        if let Some((name, rest)) =
            line.strip_prefix("pub const ").and_then(|line| line.split_once(": "))
        {
            let register = rest.starts_with("Reg<");
            let number = ["u8 ", "u16 ", "u32 ", "usize "].iter().any(|t| rest.starts_with(t));
            if register || number {
                found.push(Constant { name: name.to_owned(), says: says.clone(), register });
            }
        }
        says.clear();
    }
    found
}

/// The text of `c_header/table.rs`.
fn table_text() -> String {
    let mut text = String::from(
        "//! Every constant of the crate with its value. Made by the test beside it.\n\n#[rustfmt::skip]\n\
         pub const TABLE: &[(&str, &str, u64)] = &[\n",
    );
    for (module, source) in MODULES {
        for constant in constants(source) {
            let name = constant.name;
            let field = if constant.register { ".offset" } else { "" };
            writeln!(
                text,
                "    (\"{module}\", \"{name}\", firmware_headers::{module}::{name}{field} as u64),"
            )
            .unwrap();
        }
    }
    text.push_str("];\n");
    text
}

/// The text of the header.
fn header_text() -> String {
    let mut text = String::from(
        "/*\n * Registers and layouts of the boards, as C. Made from the crate firmware-headers, whose test holds \
         it equal.\n * A register's name stands for its offset in bytes within its space.\n */\n\
         #ifndef TRUNKLINE_BOARDS_H\n#define TRUNKLINE_BOARDS_H\n",
    );
    for (module, source) in MODULES {
        writeln!(text, "\n/* {module} */").unwrap();
        for constant in constants(source) {
            let entry = table::TABLE.iter().find(|(m, n, _)| (*m, *n) == (module, &*constant.name));
            let Some((_, name, value)) = entry else { continue };
            let says = constant.says.replace("[`", "").replace("`]", "").replace("crate::", "");
            let name = format!("{}_{name}", module.to_uppercase());
            writeln!(text, "#define {name} {value:#X}u /* {says} */").unwrap();
        }
    }
    let magic = std::str::from_utf8(image::MAGIC).unwrap();
    writeln!(text, "#define IMAGE_MAGIC \"{magic}\" /* What a file begins with. */").unwrap();
    text.push_str(&boards());
    text.push_str("\n#endif\n");
    text.replace("0X", "0x")
}

/// A board's row: vendor, device, sub-vendor, name, generation, spans, bursts, extended reset.
fn row(model: &Model) -> String {
    let Model { vendor, device, sub_vendor, name, generation, spans, bursts, extended_reset } =
        *model;
    let sub_vendor = sub_vendor.map_or_else(|| "-1".to_owned(), |id| format!("{id:#06X}"));
    let flags = [bursts, extended_reset].map(u8::from);
    format!(
        "{vendor:#06X}, {device:#06X}, {sub_vendor}, \"{name}\", {generation}, {spans}, {}, {}",
        flags[0], flags[1]
    )
}

/// The boards: a list whose rows are handed to a macro, and the names of some of them.
fn boards() -> String {
    let mut text = String::from(
        "\n/*\n * Every board: MODEL_MODELS(X) is X(vendor, device, sub-vendor or -1 for any other, name, generation, \
         spans,\n * bursts allowed, extended reset) for each. The first row that matches wins.\n */\n\
         #define MODEL_MODELS(X)",
    );
    for model in &model::MODELS {
        write!(text, " \\\n    X({})", row(model)).unwrap();
    }
    text.push_str("\n/* Single rows, for a macro of eight arguments. */\n");
    for (name, model) in [
        ("TE405P_GEN5", model::TE405P_GEN5),
        ("TE410P_GEN5", model::TE410P_GEN5),
        ("TE410P_GEN2", model::TE410P_GEN2),
        ("TE210P_GEN5", model::TE210P_GEN5),
        ("TE820", model::TE820),
    ] {
        writeln!(text, "#define MODEL_{name} {}", row(&model)).unwrap();
    }
    text
}

/// Holds `path` equal to `wanted`, or makes it so when that is asked for.
fn hold(path: &str, wanted: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == wanted, "{} is old: see the head of this test", path.display());
}

/// A constant of another kind than those that go over would be left out in silence.
#[test]
fn every_public_constant_is_in_the_header() {
    let header = header_text();
    for (module, source) in MODULES {
        for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
            let Some((name, _)) = line.split_once(": ").filter(|_| !line.starts_with("fn ")) else {
                continue;
            };
            let known = constants(source).iter().any(|constant| constant.name == name);
            assert!(known || OTHERS.contains(&name), "{module}::{name} does not go over");
            let define = format!("#define {}_{name}", module.to_uppercase());
            assert!(header.contains(&define), "{define}");
        }
    }
    assert_eq!(header.matches("\n    X(0x").count(), model::MODELS.len());
}

#[test]
fn the_table_has_every_constant() {
    hold("tests/c_header/table.rs", &table_text());
}

#[test]
fn the_header_says_what_the_constants_say() {
    hold("include/trunkline_boards.h", &header_text());
}

#[test]
fn values_are_the_crate_s_and_no_name_stands_twice() {
    let value = |name: &str| {
        let line = header_text();
        let start = format!("#define {name} ");
        let line = line.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned));
        let word = line.unwrap().split(' ').next().unwrap().trim_end_matches('u').to_owned();
        u64::from_str_radix(&word[2..], 16).unwrap()
    };
    assert_eq!(value("WCT4XXP_VERSION"), 0x18);
    assert_eq!(value("FALC_FRS0"), 0x4C);
    assert_eq!(value("WCT4XXP_DMACTRL_RUN"), 0xC000_0000);
    assert_eq!(value("DMA_BUFFER_OCTETS_OCTAL"), 2048);
    let mut names: Vec<_> = table::TABLE.iter().map(|(m, n, _)| (m, n)).collect();
    assert!(names.len() > 250, "{}", names.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), table::TABLE.len());
}

/// Where there is a C compiler it has to take the header without a warning.
#[test]
fn a_c_compiler_takes_it() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/trunkline_boards.h");
    let asked = std::process::Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c"])
        .arg(header)
        .output();
    match asked {
        Ok(answer) => assert!(answer.status.success(), "{answer:?}"),
        Err(error) => eprintln!("no C compiler here: {error}"),
    }
}
