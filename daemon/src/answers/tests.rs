use std::collections::BTreeMap;
use std::path::Path;

use acd::{ApiRequest, KeepSettings};
use call::Verdict;
use exchange::scenario::SubscriberKind;
use exchange::{Offering, Scale};

use super::*;
use crate::config::Config;
use crate::demo::house::{self as plan, CAMPAIGN, Plan};
use crate::house::House;
use crate::records::Writer;
use crate::rig::Rig;

/// A quarter of a minute of the demonstration's list, everything kept of its answers, and the records as they are written.
fn kept_house(root: &Path) -> House {
    let plan = Plan { seconds: 16, scale: Scale::Short, seed: 4, lockstep: true };
    let mut scenario = plan::scenario(plan);
    scenario.callers.per_second = 0.0;
    scenario.callers.bursts.clear();
    let mut config = Config::parse(&plan::configuration(plan), "demo.toml").unwrap();
    config.acd.campaigns[0].keep_decisions = Some(KeepSettings { share_percent: 100, seconds: 12 });
    let prompts = crate::prompts::load(None, "en").unwrap();
    let scenarios = BTreeMap::from([("scenario.toml".to_owned(), scenario)]);
    let mut rig = Rig::with_scenarios(&config, &prompts, scenarios).unwrap();
    rig.record_below(&Paths::below(root)).unwrap();
    let mut house = House::new(rig, config.acd.clone(), plan.seed).unwrap();
    let csv = plan::list(plan);
    house
        .ask(ApiRequest::ListLoad { campaign: CAMPAIGN.into(), csv, good_rows_only: false })
        .unwrap();
    let offering = |house: &House| house.rig.exchange("scenario.toml").unwrap().offering();
    assert!(house.run_until(15_000, |h| offering(h) != Offering::Waiting));
    house.ask(ApiRequest::CampaignStart { campaign: CAMPAIGN.into() }).unwrap();
    house.run_until(plan.seconds * 1000, |_| false);
    house.ask(ApiRequest::CampaignStop { campaign: CAMPAIGN.into() }).unwrap();
    assert!(house.run_until(40_000, |h| h.acd().state().attempts.is_empty()));
    // The writer comes round once more.
    house.run_until(10, |_| false);
    let writer = Writer::open(&Paths::below(root).state_dir().join("records.db")).unwrap();
    house.records().iter().for_each(|record| writer.put(record.clone()));
    house
}

/// What an operator does in an afternoon, over a house: keep, listen (here: ask the network who it was), mark, report.
#[test]
fn an_afternoon_of_listening_says_who_was_lost_and_what_another_limit_would_have_done() {
    let folder = tempfile::tempdir().unwrap();
    let house = kept_house(folder.path());
    let paths = Paths::below(folder.path());
    let answered = |r: &&acd::CallRecord| r.judged.is_some();
    let judged: Vec<_> = house.records().iter().filter(answered).collect();
    assert!(judged.len() >= 10, "{}", judged.len());

    // Every decision was kept, its file is whole, and the conversation is not in it.
    let files = decisions::all(&paths.decisions()).unwrap();
    assert_eq!(files.len(), judged.len());
    for record in &judged {
        let name = record.kept.as_ref().expect("kept");
        let file = files.iter().find(|kept| kept.name == *name).expect("its file");
        let octets = crate::analyze::audio::read(&file.path, tdm::Law::A).unwrap();
        let (_, millis) = record.judged.unwrap();
        let heard_millis = octets.len() as u64 / 8;
        assert!(heard_millis <= 12_001, "{heard_millis}");
        if record.agent.is_some() || record.judged.unwrap().0 == Verdict::Machine {
            // It ends where the agent was joined, or the machine released.
            let until_millis = u64::from(millis).min(12_000);
            assert!(heard_millis.abs_diff(until_millis) <= 60, "{heard_millis} {millis}");
        }
    }

    // Everything is to be listened to, in no order of the calls, and nothing says what the ear thought.
    let found = Found::all(&paths).unwrap();
    let mut list = Vec::new();
    found.unmarked(usize::MAX, &mut list).unwrap();
    let listed: Vec<String> = String::from_utf8(list).unwrap().lines().map(Into::into).collect();
    assert_eq!(listed.len(), files.len());
    let in_order: Vec<_> = files.iter().map(|kept| kept.path.display().to_string()).collect();
    assert_ne!(listed, in_order);

    // Who it was, as the network knows it.
    let truth: BTreeMap<String, Is> = (house.rig.exchange("scenario.toml").unwrap().calls())
        .into_iter()
        .filter_map(|call| {
            let is = match call.subscriber? {
                SubscriberKind::Person => Is::Person,
                SubscriberKind::Machine => Is::Machine,
                _ => Is::Nobody,
            };
            Some((call.called, is))
        })
        .collect();
    let of = |name: &str| {
        let record = judged.iter().find(|r| r.kept.as_deref() == Some(name)).unwrap();
        (truth[&record.called], record.judged.unwrap().0)
    };
    let rows: String = listed
        .iter()
        .map(|file| format!("{file},{}\n", of(&marks::name_of(file)).0.word()))
        .collect();
    let marks = marks::table(&rows, |name| found.is_known(name)).unwrap();
    marks::add(&paths.marks(), &marks).unwrap();

    // The report counts as one who knows everything would.
    let people = marks.iter().filter(|(_, is)| *is == Is::Person).count() as u64;
    let lost = marks.iter().filter(|(name, is)| {
        *is == Is::Person
            && matches!(of(name).1, Verdict::Machine | Verdict::Fax | Verdict::Silence)
    });
    let all = Of { place: place(folder.path()), campaign: None, from: 0, to: i64::MAX / 1_000_000 };
    let report = all.report(false, true).unwrap();
    let json = report.json();
    assert_eq!((&json["listened"], &json["kept"]), (&marks.len().into(), &marks.len().into()));
    assert_eq!(report.lost(), report::Share { part: lost.count() as u64, of: people });
    assert!(people >= 3 && report.passed().of >= 3, "{json}");

    // At the limit it had, the ear says again what it said; a higher one loses no more and passes no fewer.
    let point = |percent| report.curve.iter().find(|point| point.percent == percent).unwrap();
    assert_eq!(report.curve_left_out, 0);
    assert_eq!((point(70).lost, point(70).passed), (report.lost(), report.passed()));
    for pair in report.curve.windows(2) {
        assert!(pair[0].lost.part >= pair[1].lost.part, "{:?}", report.curve);
        assert!(pair[0].passed.part <= pair[1].passed.part, "{:?}", report.curve);
    }
    let mut text = Vec::new();
    report.table(&mut text).unwrap();
    println!("{}", String::from_utf8(text).unwrap());

    // Nothing is left to listen to; what was said stays, also of recordings that are gone.
    for file in &files {
        std::fs::remove_file(&file.path).unwrap();
    }
    let found = Found::all(&paths).unwrap();
    let mut list = Vec::new();
    found.unmarked(usize::MAX, &mut list).unwrap();
    assert!(list.is_empty());
    let later = all.report(false, true).unwrap();
    assert_eq!((later.lost(), later.curve[0].lost.of), (report.lost(), 0));
    let mut told = Vec::new();
    found.told(&mut told).unwrap();
    assert_eq!(String::from_utf8(told).unwrap().lines().count(), 1 + marks.len());
}

fn place(root: &Path) -> Place {
    Place { root: root.to_owned(), config: None, with_parent: None }
}

/// The commands of `docs/answer.md` are commands.
#[test]
fn the_afternoon_of_the_documentation_can_be_typed() {
    use clap::Parser;
    for typed in [
        "answers list --campaign spring --most 200",
        "answers mark /var/lib/trunkline/decisions/answer-spring-c1.7.wav person",
        "answers mark --csv table.csv",
        "answers report --campaign spring",
        "answers report --campaign spring --curve",
        "answers report --said --json",
        "answers list --told",
    ] {
        let words = ["trunkline"].into_iter().chain(typed.split(' '));
        let parsed = crate::cli::Cli::try_parse_from(words);
        assert!(parsed.is_ok(), "{typed}: {:?}", parsed.err());
    }
    for typed in [
        "answers mark answer-spring-c1.7 perhaps",
        "answers mark answer-spring-c1.7",
        "answers mark",
    ] {
        let words = ["trunkline"].into_iter().chain(typed.split(' '));
        assert!(crate::cli::Cli::try_parse_from(words).is_err(), "{typed}");
    }
}
