//! `trunkline number`: what a trunk group makes of a number, step by step, without a call.

use anyhow::{Result, bail};
use call::{Number, NumberType, Presentation};
use clap::{Args, ValueEnum};
use media::Rewrite;

use crate::cli::Place;
use crate::config::Config;
use crate::media_shell::setup;

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// A call of ours.
    Out,
    /// A call of the far end.
    In,
}

/// Whose number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Whose {
    /// Whom the caller wants.
    Called,
    /// Who calls.
    Calling,
}

/// Tries the number rules of a trunk group.
#[derive(Args, Clone, Debug)]
pub struct NumberArgs {
    /// The files.
    #[command(flatten)]
    pub place: Place,
    /// The trunk group.
    pub group: String,
    /// Which way.
    pub way: Way,
    /// Whose number.
    pub whose: Whose,
    /// The digits.
    pub digits: String,
    /// `unknown`, `international`, `national`, `network_specific`, `subscriber` or `abbreviated`.
    #[arg(long = "type", value_name = "TYPE", default_value = "unknown")]
    pub kind: String,
}

/// Says what becomes of the number.
///
/// # Errors
/// No such group, or no such number.
pub fn run(args: &NumberArgs) -> Result<()> {
    let config = args.place.load()?;
    for line in explain(&config, args)? {
        crate::output::say!("{line}")?;
    }
    Ok(())
}

/// The steps in words.
fn explain(config: &Config, args: &NumberArgs) -> Result<Vec<String>> {
    let group = config.media.group.iter().find(|group| *group.name.get_ref() == args.group);
    let Some(group) = group else {
        let known: Vec<&str> =
            config.media.group.iter().map(|group| group.name.get_ref().as_str()).collect();
        bail!("there is no trunk group `{}`; there are: {}", args.group, known.join(", "));
    };
    let is_digit = |c: char| matches!(c, '0'..='9' | '*' | '#');
    if args.digits.len() > 32 || !args.digits.chars().all(is_digit) {
        bail!("`{}` is no number: at most 32 of 0 to 9, * and #", args.digits);
    }
    let Ok(kind) = serde_json::from_value::<NumberType>(args.kind.as_str().into()) else {
        bail!("there is no type of number `{}`", args.kind);
    };
    let given = Number { kind, ..Number::unknown(args.digits.as_str()) };
    let numbers = setup::numbers(group);
    let (list, rules, name): (_, Rewrite, _) = match (args.way, args.whose) {
        (Way::Out, Whose::Called) => (&group.called_out, numbers.called_out, "called_out"),
        (Way::Out, Whose::Calling) => (&group.calling_out, numbers.calling_out, "calling_out"),
        (Way::In, Whose::Called) => (&group.called_in, numbers.called_in, "called_in"),
        (Way::In, Whose::Calling) => (&group.calling_in, numbers.calling_in, "calling_in"),
    };
    let mut lines = vec![format!("given   {}", in_words(&given))];
    match rules.explain(&given) {
        Some((n, becomes)) => {
            let pattern =
                list.get(n - 1).map(|rule| rule.pattern.get_ref().as_str()).unwrap_or_default();
            lines.push(format!("rule    {n} of {} in {name}: `{pattern}`", list.len()));
            lines.push(format!("becomes {}", in_words(&becomes)));
            let at_least = usize::from(args.whose == Whose::Called);
            let refused = (args.way == Way::Out).then(|| rules.dialled(&given, at_least).err());
            lines.extend(refused.flatten().map(|why| format!("refused {why}")));
        }
        None => lines.push(format!("rule    none of {} in {name}: it stays as it is", list.len())),
    }
    Ok(lines)
}

fn in_words(number: &Number) -> String {
    let kind = serde_json::to_value(number.kind).ok();
    let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default();
    let shown = match number.presentation {
        Presentation::Allowed => "",
        Presentation::Restricted => ", not to be shown",
        Presentation::NotAvailable => ", not available",
    };
    let digits = if number.digits.is_empty() { "no digits" } else { number.digits.as_str() };
    format!("{digits} ({kind}{shown})")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
[[spans.board]]
at = "vfio-user:/run/trunkline/board0.sock"
span = ["1,1,0,ccs,hdb3,crc4"]

[[media.group]]
name = "public"
spans = [1]
side = "user"
called_out = [
    { match = "00.", strip = 2, type = "international" },
    { match = "NXXXXXXX", prepend = "0755" },
    { match = "9", strip = 1 },
]
calling_in = [{ match = ".", when = "national", prepend = "0", presentation = "restricted" }]
"#;

    fn told(words: &[&str]) -> Result<Vec<String>> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: NumberArgs,
        }
        let config = Config::parse(FILE, "t.toml").expect("good");
        let line = <Line as clap::Parser>::try_parse_from([&["number"], words].concat())?;
        explain(&config, &line.args)
    }

    #[test]
    fn a_number_is_followed_through_the_rules_of_its_group() {
        let lines = told(&["public", "out", "called", "004930"]).expect("told");
        assert_eq!(
            lines,
            [
                "given   004930 (unknown)",
                "rule    1 of 3 in called_out: `00.`",
                "becomes 4930 (international)",
            ]
        );
        let lines = told(&["public", "in", "calling", "13800138000", "--type", "national"]);
        assert_eq!(lines.expect("told")[2], "becomes 013800138000 (national, not to be shown)");
        let lines = told(&["public", "out", "called", "9"]).expect("told");
        assert_eq!(lines[3], "refused rule 3 makes a number of 0 digits; it takes 1 to 32");
        let lines = told(&["public", "in", "called", "8001"]).expect("told");
        assert_eq!(lines[1], "rule    none of 0 in called_in: it stays as it is");
    }

    #[test]
    fn what_is_no_group_number_or_type_is_refused_in_words() {
        for (words, needle) in [
            (["private", "out", "called", "1"], "there are: public"),
            (["public", "out", "called", "1a"], "is no number"),
        ] {
            let error = told(&words).expect_err("refused").to_string();
            assert!(error.contains(needle), "{error}");
        }
        let error =
            told(&["public", "out", "called", "1", "--type", "lunar"]).expect_err("refused");
        assert!(error.to_string().contains("lunar"));
    }
}
