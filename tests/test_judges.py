"""One order of judges, without those that are parties."""

from latentlab.judges import find_borrowed_classifiers, list_judges, rank_judge
from latentlab.models import Card
from latentlab.models.kinds import list_judge_kinds


def test_judges_are_asked_in_one_order_and_parties_are_not_asked():
    assert list(list_judges("cifar10")) == [f"cifar10-{kind}" for kind in list_judge_kinds()]
    card = Card(
        "vae", {}, (3, 32, 32), command="latentlab fit vae --out x.safetensors --eye cifar10-resnet.safetensors"
    )
    assert find_borrowed_classifiers(card) == ("cifar10-resnet",)
    assert "cifar10-resnet" not in list_judges("cifar10", find_borrowed_classifiers(card))


def test_a_head_has_the_rank_of_its_network_and_strangers_come_last():
    assert (
        rank_judge("faces", "faces-resnet20") < rank_judge("faces", "faces-resnet18:Smiling") < len(list_judge_kinds())
    )
    assert rank_judge("faces", "brought") == rank_judge("cifar10", "faces-resnet20") == len(list_judge_kinds())
