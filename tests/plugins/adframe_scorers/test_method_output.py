import torch

from adframe.interfaces import ViewSpec
from adframe_scorers.method_output import MethodOutput


def test_several_values_of_an_image_are_averaged() -> None:
    scorer = MethodOutput("certain")
    assert scorer.view_spec() == ViewSpec(outputs=("certain",))
    values = torch.arange(12.0).view(2, 3, 2, 1)
    scorer.fit({"certain": values})
    assert scorer.score({"certain": values}).tolist() == [2.5, 8.5]
