"""Learning rates over a run, and MXNet's optimizers with them."""

import pytest

from recordkit.training.optimizer import Optimizer


def all_rates(optimizer, n_updates=10, epochs=10):
    n_total = n_updates * epochs
    return [optimizer.rate(update, n_updates, n_total) for update in range(1, n_total + 1)]


def test_cosine_rises_for_a_twentieth_and_falls_to_0():
    rates = all_rates(Optimizer(lr=0.1, schedule="cosine"))
    assert rates.index(max(rates)) == 5 and max(rates) == pytest.approx(0.1, rel=1e-3)
    assert 0 < rates[0] < 0.03 and 0 < rates[-1] < 0.001
    assert rates[5:] == sorted(rates[5:], reverse=True)


def test_one_cycle_rises_for_three_tenths_from_a_25th():
    rates = all_rates(Optimizer(lr=0.1, schedule="one-cycle"))
    assert rates.index(max(rates)) == 30 and rates[0] == pytest.approx(0.1 / 25, rel=0.9)
    assert rates[:30] == sorted(rates[:30]) and 0 < rates[-1] < 0.001


def test_steps_and_factors_fall_after_whole_epochs():
    step = all_rates(Optimizer(lr=1.0, schedule="step", factor=0.5, step_epochs=(2, 4)))
    assert [step[update] for update in (0, 19, 20, 39, 40, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    factor = all_rates(Optimizer(lr=1.0, schedule="factor", factor=0.5))
    assert [factor[update] for update in (0, 9, 10, 25)] == [1, 1, 0.5, 0.25]
    assert set(all_rates(Optimizer(lr=0.3, schedule="constant"))) == {0.3}


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_mxnets_optimizer_continues_after_earlier_updates(mx, name):
    options = {"batch_size": 4, "n_updates": 10, "n_total": 30}
    ours = Optimizer(name=name, lr=0.1, schedule="factor")
    begun, resumed = (ours.create(mx, {0: "w_weight"}, **options, n_done=n_done) for n_done in (0, 20))
    assert begun.rescale_grad == 0.25
    for optimizer, rate in ((begun, 0.1), (resumed, 0.001)):
        weight, gradient = mx.nd.ones((2,)), mx.nd.ones((2,))
        optimizer.update(0, weight, gradient, optimizer.create_state(0, weight))
        assert optimizer.learning_rate == pytest.approx(rate)
    assert resumed.num_update == 21


def test_a_factor_may_fall_after_a_number_of_updates_as_in_mxnets_scheduler(mx):
    ours = Optimizer(lr=0.01, schedule="factor", factor=0.95, factor_updates=7)
    theirs = mx.lr_scheduler.FactorScheduler(step=7, factor=0.95, base_lr=0.01)
    assert all_rates(ours, epochs=3) == pytest.approx([theirs(update) for update in range(1, 31)])
