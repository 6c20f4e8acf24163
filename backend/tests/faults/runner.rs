//! Runs cases in parallel and reports the results.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    Arguments, Failed,
    case::{self, Report},
    fault::{Kind, kinds},
    mounts::Mount,
    plan::Plan,
    programs::Programs,
    support::random::Random,
    world::DatabaseKind,
};

/// The default number of combinations after the single faults.
const COMBINATIONS: usize = 20;

/// The combinations that may fail to count before the run gives up, per combination to run.
const TRIES: usize = 3;

/// The longest time for a case.
const CASE_TIME: Duration = Duration::from_secs(240);

/// When a short run stops starting cases.
const SHORT_TIME: Duration = Duration::from_secs(100);

/// Lines shown of a failed server's log.
const LINES: usize = 15;

/// The options of a run.
pub(crate) struct Options {
    seed: u64,
    combinations: usize,
    alone: bool,
    only: String,
    databases: Vec<DatabaseKind>,
    short: bool,
    jobs: usize,
    server: PathBuf,
    list: bool,
    own_namespaces: bool,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        let Arguments {
            seed,
            combinations,
            only,
            database,
            short,
            jobs,
            server,
            list,
            failover: _,
            upgrade: _,
            _run: _,
            own_namespaces,
        } = arguments;
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let by_default = if short || !only.is_empty() { 0 } else { COMBINATIONS };
        Self {
            // Short enough to be typed.
            seed: seed.unwrap_or_else(|| u64::from(getrandom::u32().unwrap_or_default())),
            combinations: combinations.unwrap_or(by_default),
            alone: combinations.is_none(),
            only,
            databases: database.map_or_else(|| vec![DatabaseKind::Sqlite, DatabaseKind::Postgres], |one| vec![one]),
            short,
            jobs: jobs.unwrap_or(3 * processors),
            server,
            list,
            own_namespaces,
        }
    }
}

/// Everything to create a case when its turn comes.
#[derive(Clone, Copy)]
enum Task {
    Alone(DatabaseKind, &'static str, u64),
    Combination(DatabaseKind, u64),
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    uncounted: usize,
    recovered: Vec<Duration>,
}

/// Runs the requested cases; returns whether all passed.
pub(crate) async fn run(options: Options) -> Result<bool, Failed> {
    // libfaketime leaves files there, named after process ids, which are reused.
    let _shared_memory = options.own_namespaces.then(|| Mount::memory(Path::new("/dev/shm"))).transpose()?;
    // Readable by everybody, because the server may run as another user.
    let folder = tempfile::Builder::new().prefix("backend-sync-faults.").tempdir_in("/var/tmp")?;
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let programs = Arc::new(Programs::find(&options.server, folder.path())?);
    let available = |database| available(&programs, database);
    if options.list {
        for database in &options.databases {
            available(*database).iter().for_each(|kind| println!("{database}: {}", kind.name));
        }
        return Ok(true);
    }
    say_what_is_skipped(&programs, &options.databases);
    println!("Seed {}, {} cases side by side", options.seed, options.jobs);
    let options = Arc::new(options);
    let mut tasks = tasks(&options, &programs);
    let mut spare = if options.combinations > 0 { (TRIES - 1) * options.combinations } else { 0 };
    let mut next_seed = options.seed + tasks.len() as u64;
    let (mut running, mut tally, begun, mut number) = (JoinSet::new(), Tally::default(), Instant::now(), 0);
    while !tasks.is_empty() || !running.is_empty() {
        if options.short && begun.elapsed() > SHORT_TIME && !tasks.is_empty() {
            println!("Time is up: {} cases are left out", tasks.len());
            tasks.clear();
        }
        while running.len() < options.jobs
            && let Some(task) = tasks.pop_front()
        {
            let (programs, options) = (Arc::clone(&programs), Arc::clone(&options));
            running.spawn(async move { (task, one(&programs, &options, task).await) });
        }
        let Some(done) = running.join_next().await else { break };
        let (task, (plan, result)) = done?;
        number += 1;
        let counts = tell(&mut tally, number, tasks.len() + running.len(), task, &plan, result);
        if let (Task::Combination(database, _), false, true) = (task, counts, spare > 0) {
            // Another one in its place.
            spare -= 1;
            tasks.push_back(Task::Combination(database, next_seed));
            next_seed += 1;
        }
    }
    Ok(summary(&tally, begun.elapsed()))
}

fn available(programs: &Programs, database: DatabaseKind) -> Vec<Kind> {
    if programs.lacks_database(database).is_some() {
        return Vec::new();
    }
    kinds(database).into_iter().filter(|kind| kind.needs.iter().all(|need| programs.lacks(*need).is_none())).collect()
}

fn say_what_is_skipped(programs: &Programs, databases: &[DatabaseKind]) {
    for database in databases {
        if let Some(why) = programs.lacks_database(*database) {
            println!("Skipped: {database} ({why})");
            continue;
        }
        for kind in kinds(*database) {
            if let Some(why) = kind.needs.iter().find_map(|need| programs.lacks(*need)) {
                println!("Skipped on {database}: {} ({why})", kind.name);
            }
        }
    }
}

fn tasks(options: &Options, programs: &Programs) -> VecDeque<Task> {
    let mut tasks = VecDeque::new();
    let seed = |tasks: &VecDeque<Task>| options.seed + tasks.len() as u64;
    if options.alone {
        for database in &options.databases {
            for kind in available(programs, *database).into_iter().filter(|kind| kind.name.contains(&options.only)) {
                tasks.push_back(Task::Alone(*database, kind.name, seed(&tasks)));
            }
        }
    }
    if options.short {
        // Shuffled, so that a run that is too short does not always leave out the same ones.
        let mut random = Random::from_seed(options.seed);
        for last in (1..tasks.len()).rev() {
            tasks.swap(last, usize::try_from(random.below(last as u64 + 1)).unwrap_or(last));
        }
    }
    for number in 0..options.combinations {
        let database = options.databases[number % options.databases.len()];
        tasks.push_back(Task::Combination(database, seed(&tasks)));
    }
    tasks
}

/// Runs one case; returns its description and its result.
async fn one(programs: &Programs, options: &Options, task: Task) -> (String, Result<Report, Failed>) {
    let plan = match task {
        Task::Alone(database, name, seed) => available(programs, database)
            .into_iter()
            .find(|kind| kind.name == name)
            .map(|kind| Plan::alone(kind, database, seed, options.short)),
        Task::Combination(database, seed) => {
            Some(Plan::combination(available(programs, database), database, seed, &options.only))
        }
    };
    let Some(plan) = plan else { return (String::new(), Err("there is no such fault".into())) };
    let text = plan.to_string();
    let result = tokio::time::timeout(CASE_TIME, case::run(programs, plan)).await;
    (text, result.unwrap_or_else(|_| Err(format!("not done after {} s", CASE_TIME.as_secs()).into())))
}

/// Prints the result of a case; returns whether it counts.
fn tell(tally: &mut Tally, number: usize, left: usize, task: Task, plan: &str, result: Result<Report, Failed>) -> bool {
    let (how, seed) = match task {
        Task::Alone(_, _, seed) => ("alone", seed),
        Task::Combination(_, seed) => ("combination", seed),
    };
    let head = format!("{number} ({left} left), {how}, seed {seed}: {plan}");
    let repeat = match task {
        Task::Alone(database, name, seed) => format!("--database {} --only \"{name}\" --seed {seed}", database.word()),
        Task::Combination(database, seed) => format!("--database {} --combinations 1 --seed {seed}", database.word()),
    };
    let head_of_failed = format!("{head}\n             repeat: scripts/faults {repeat}");
    let report = match result {
        Ok(report) => report,
        Err(error) => {
            println!("FAILED   {head}\n         {error}");
            tally.failed.push(format!("{head_of_failed}\n             {error}"));
            return true;
        }
    };
    tally.recovered.extend(report.recovered);
    if !report.problems.is_empty() {
        println!("FAILED   {head}\n         {}", report.text);
        report.problems.iter().for_each(|problem| println!("         * {problem}"));
        let lines = report.log.len().saturating_sub(LINES);
        report.log.iter().skip(lines).for_each(|line| println!("         | {line}"));
        tally.failed.push(format!("{head_of_failed}\n             {}", report.problems.join("\n             ")));
        return true;
    }
    if report.unseen.is_empty() {
        println!("ok       {head}\n         {}", report.text);
        tally.passed += 1;
        return true;
    }
    println!("no effect  {head}\n         {}", report.text);
    if matches!(task, Task::Alone(..)) {
        tally.failed.push(format!("{head_of_failed}\n             it had no visible effect"));
        return true;
    }
    tally.uncounted += 1;
    false
}

fn summary(tally: &Tally, time: Duration) -> bool {
    println!(
        "\n{} passed, {} failed, {} had no visible effect and do not count",
        tally.passed,
        tally.failed.len(),
        tally.uncounted
    );
    let mut recovered = tally.recovered.clone();
    recovered.sort_unstable();
    if let (Some(longest), Some(median)) = (recovered.last(), recovered.get(recovered.len() / 2)) {
        let (longest, median) = (longest.as_secs_f32(), median.as_secs_f32());
        println!("Stored again after the last fault: median {median:.1} s, at most {longest:.1} s");
    }
    println!("In {} s", time.as_secs());
    for failed in &tally.failed {
        println!("FAILED   {failed}");
    }
    tally.failed.is_empty()
}
