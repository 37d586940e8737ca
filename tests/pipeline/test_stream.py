"""The work on a question is independent of the writer: its events give the same run whenever they are applied."""

import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from odd.config import TeacherConfig
from odd.errors import OddError
from odd.pipeline.consumer import Consumer
from odd.pipeline.digests import Digests
from odd.pipeline.events import Commit, Event, Events, Insert, NoteModel, SpellTokens, Step, Update
from odd.pipeline.frame import run_id_of
from odd.pipeline.question import QuestionWork
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.pipeline.worker import Worker, run
from odd.questions.sources import load_questions
from odd.store import RunWriter, state, tables
from odd.store.question_stage import QuestionStage
from tests.models.bigram_engine import Bigrams
from tests.runs import quick_config, rows

RUN = "x-00000000"
# columns that differ between two runs with the same settings
WITHOUT = {"meta": "SELECT * FROM meta WHERE key NOT IN ('created_at', 'config') ORDER BY ALL",
           "timings": "SELECT * EXCLUDE seconds FROM timings ORDER BY ALL"}  # fmt: skip


def assert_same_tables(one, other, but=frozenset()):
    differ = [
        table
        for table in tables().keys() - but
        for sql in (WITHOUT.get(table, f"SELECT * FROM {table} ORDER BY ALL"),)
        if repr(rows(one, sql)) != repr(rows(other, sql))
    ]
    assert not differ


def begin(config) -> Worker:
    """A worker on a new run file, with unprocessed questions."""
    questions, models = load_questions(config.questions), Models(config, config.cache)
    run_id = run_id_of(config, questions, models)
    worker = Worker(RunWriter(config.cache, run_id), run_id, config, questions, models, lambda step: None)
    worker.prepare()
    return worker


@pytest.fixture(scope="module")
def collected(tmp_path_factory) -> list[list[Event]]:
    """All events of each question of a run, collected without applying any."""
    worker = begin(quick_config(tmp_path_factory.mktemp("collected")))
    with worker.writer:
        return [list(work) for work in worker.works()]


def apply(config, events):
    worker = begin(config)
    with worker.writer:
        worker.consumer.consume(events)
        return worker.finish("finished")


def in_turn(works: list[Events[None]]) -> Iterator[Event]:
    """Process questions in turn, one event at a time, each applied before the next."""
    while works:
        for work in list(works):
            event = next(work, None)
            if event is None:
                works.remove(work)
            else:
                yield event


def test_events_applied_later_give_the_same_run(collected, quick, tmp_path):
    events = [event for events in collected for event in events]
    assert_same_tables(quick[1], apply(quick_config(tmp_path), events))


def test_events_survive_the_way_to_another_process(collected, quick, tmp_path):
    events = pickle.loads(pickle.dumps([event for events in collected for event in events]))
    assert_same_tables(quick[1], apply(quick_config(tmp_path), events))


def test_questions_can_be_worked_on_in_turn(quick, tmp_path):
    worker = begin(quick_config(tmp_path))
    with worker.writer:
        worker.consumer.consume(in_turn(list(worker.works())))
        path = worker.finish("finished")
    assert_same_tables(quick[1], path)


@pytest.mark.parametrize("stage", [QuestionStage.SAMPLED, QuestionStage.PLANNED, QuestionStage.TARGETED])
def test_a_run_continues_from_each_stage_of_a_question(collected, quick, tmp_path, stage):
    config = quick_config(tmp_path)
    reached = next(i for i, event in enumerate(collected[0]) if reaches(event, stage))
    worker = begin(config)
    with worker.writer:
        worker.consumer.consume(collected[0][: reached + 1])
    # uncommitted work is timed again
    assert_same_tables(quick[1], run(config, lambda step: None), but={"timings"})


def reaches(event: Event, stage: QuestionStage) -> bool:
    changes = event.changes if isinstance(event, Commit) else ()
    return any(isinstance(change, Update) and change.values.get("stage") == stage for change in changes)


def test_every_step_is_of_a_stage_of_runs(collected):
    steps = [event for events in collected for event in events if isinstance(event, Step)]
    assert {step.stage for step in steps} == {stage for stage in Stage.of("run") if not stage.seldom}


@pytest.mark.parametrize("stage", [Stage.INITIAL, Stage.TARGETED])
def test_sampling_is_reported_before_the_first_chunk_is_done(collected, stage):
    for events in collected:
        done = [event.done for event in events if isinstance(event, Step) and event.stage is stage]
        assert done[:1] in ([], [0])


@pytest.fixture
def stored(quick, tmp_path):
    """The stored state of a question in a finished run."""
    shutil.copy(quick[1], tmp_path)
    with RunWriter(tmp_path, quick[1].stem) as writer:
        return state.load_question_state(writer, 0)


def test_what_is_stored_of_a_question_survives_the_way_to_another_process(stored):
    assert len(stored.initial) == 48 and stored.targeted and stored.pairs and stored.attempts
    sent = vars(pickle.loads(pickle.dumps(stored)))
    for name, value in vars(stored).items():
        # the order of a set need not survive
        assert sent[name] == value if isinstance(value, frozenset) else repr(sent[name]) == repr(value)


def test_an_added_teacher_reads_once_what_targeted_rollouts_took(quick, stored, monkeypatch):
    config, _ = quick
    config = config.model_copy(update={"teachers": (*config.teachers, TeacherConfig(name="Late"))})
    question, models = load_questions(config.questions)[0], Models(config, config.cache)
    work = QuestionWork(config, models, question, stored, ())
    response = stored.initial[stored.paths[0]].token_ids
    rarest = int(models.student.scorer.log_probs(work.prompt, response)[0].argmin())
    tokens = np.array([rarest, *stored.targeted[0].token_ids[1:]], dtype=np.int32)
    surprise = replace(stored.targeted[0], token_ids=tokens, launch=1)
    work.state = replace(stored, targeted=(*stored.targeted, surprise))

    monkeypatch.setattr("odd.analysis.path_rows.KEEP_ALL", 0)
    read, asked = Bigrams.read, []
    monkeypatch.setattr(Bigrams, "read", lambda *given: asked.append(given) or read(*given))
    assert list(work.work())
    assert len(asked) == 2  # once by the student and once by the teacher


def test_a_finished_question_has_no_work(quick, stored):
    config, _ = quick
    question = load_questions(config.questions)[0]
    assert not list(QuestionWork(config, Models(config, config.cache), question, stored, ()).work())


@pytest.fixture
def consumer(tmp_path):
    with RunWriter(tmp_path, RUN) as writer:
        yield Consumer(writer, Digests(RUN, {"": "s", "model:big": "b"}), 3, lambda step: None)


def test_a_token_is_spelled_out_once(consumer):
    for tokens in ({5: b"a", 3: b"\xff"}, {5: b"a", 7: b"c"}):
        consumer.apply(Commit((SpellTokens(tokens),)))
    assert consumer.writer.query("SELECT * FROM vocabulary ORDER BY token").values.tolist() == [
        [3, "\ufffd", b"\xff"], [5, "a", b"a"], [7, "c", b"c"],
    ]  # fmt: skip


def test_demonstrations_of_a_changed_model_are_dropped(consumer):
    written = Insert("timings", [{"stage": "demonstrations"}])
    with pytest.raises(OddError, match="'big' that writes demonstrations has changed"):
        consumer.apply(Commit((written, NoteModel("big", "big", "another"))))
    assert consumer.writer.query("SELECT * FROM timings").empty


def test_a_new_writing_model_is_recorded_with_its_weights(consumer):
    consumer.apply(Commit((NoteModel("new", "new", "n"),)))
    assert consumer.writer.meta()["digests"] == '{"": "s", "model:big": "b", "model:new": "n"}'


def test_the_listener_is_told_which_run_and_of_how_many_questions(consumer):
    heard = []
    consumer.listen = heard.append
    consumer.apply(Step(2, Stage.TARGETED, 5, 10, 50, 2.0))
    (progress,) = heard
    assert (progress.run_id, progress.question, progress.questions, progress.stage) == (RUN, 2, 3, "targeted")


@pytest.mark.parametrize(("publish", "intervals"), [("never", []), ("if_due", [()]), ("now", [(0.0,)])])
def test_a_commit_says_whether_to_publish(consumer, monkeypatch, publish, intervals):
    asked = []
    monkeypatch.setattr(consumer.writer, "publish_meanwhile", lambda *args, **kw: asked.append((*args, *kw.values())))
    consumer.apply(Commit((Insert("timings", [{"stage": "score"}]),), publish))
    assert asked == intervals
