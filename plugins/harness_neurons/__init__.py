"""The neurons iaf, lif and alif, declared, and the backend that computes any neuron by its reference.

``harness_neurons.reference`` is the definition of the three. Source of the models: sinabs 3.1 (``sinabs.layers.functional``), whose
order of operations within a step this is.
"""

from collections.abc import Callable

from harness import Backend, Neuron, Parameter, hookimpl

SURROGATES = (
    "single-exponential",
    "periodic-exponential",
    "sigmoid",
    "tanh",
    "boxcar",
    "heaviside",
    "gaussian",
    "multi-gaussian",
)


def _tau(name: str, default: float, what: str, *, optional: bool = False) -> Parameter:
    return Parameter(
        name=name,
        default=default,
        kind="float",
        above=0,
        unit="time steps",
        optional=optional,
        summary=f"time constant of the {what}",
    )


_SHARED = (
    _tau("tau_syn", 1.0, "synaptic current (none: the current is the input)", optional=True),
    Parameter(name="threshold", default=1.0, kind="float", above=0, summary="membrane potential at a spike"),
    Parameter(name="v_min", default=0.0, kind="float", optional=True, summary="floor of the membrane potential"),
    Parameter(
        name="reset",
        default="subtract",
        kind="str",
        choices=("subtract", "value"),
        summary="after a spike: subtract the threshold, or set the membrane to reset_value",
    ),
    Parameter(
        name="reset_value", default=0.0, kind="float", summary="membrane potential after a spike, if reset=value"
    ),
    Parameter(
        name="spikes",
        default="single",
        kind="str",
        choices=("single", "multi", "max"),
        summary="spikes a step: at most one, floor(v / threshold), or that up to max_spikes",
    ),
    Parameter(name="max_spikes", default=2, kind="int", minimum=1, summary="most spikes a step, if spikes=max"),
    Parameter(
        name="surrogate",
        default="single-exponential",
        kind="str",
        choices=SURROGATES,
        summary="derivative that stands in for the step's",
    ),
    Parameter(name="surrogate_width", default=0.5, kind="float", above=0, summary="width of the surrogate"),
    Parameter(name="surrogate_scale", default=1.0, kind="float", above=0, summary="factor on the surrogate"),
    Parameter(name="train_taus", default=False, kind="bool", summary="whether training moves the time constants"),
    Parameter(
        name="taus",
        default="layer",
        kind="str",
        choices=("layer", "neuron"),
        summary="one value of each time constant a layer, or one a neuron; all start alike",
    ),
)
_NORMALISED = Parameter(
    name="norm_input", default=False, kind="bool", summary="scale the current by 1 - exp(-1 / tau_mem)"
)
_REFERENCE = "harness_neurons.reference:layer"

IAF = Neuron(
    name="iaf",
    summary="integrate and fire: a membrane without leak",
    parameters=_SHARED,
    presets={"tutorial": {"spikes": "single", "train_taus": True}},
    reference=_REFERENCE,
)
LIF = Neuron(
    name="lif",
    summary="leaky integrate and fire",
    parameters=(_tau("tau_mem", 2.0, "membrane"), *_SHARED, _NORMALISED),
    presets={"tutorial": {"spikes": "multi", "norm_input": True, "train_taus": True}},
    reference=_REFERENCE,
)
ALIF = Neuron(
    name="alif",
    summary="leaky integrate and fire with a threshold that rises with each spike",
    parameters=(
        _tau("tau_mem", 2.0, "membrane"),
        _tau("tau_adapt", 1.0, "adaptation"),
        Parameter(
            name="adapt_scale", default=1.8, kind="float", minimum=0, summary="rise of the threshold a unit of b"
        ),
        *_SHARED,
        _NORMALISED,
    ),
    presets={"tutorial": {"spikes": "single", "norm_input": True, "train_taus": True}},
    reference=_REFERENCE,
)


@hookimpl
def register_neurons(register: Callable[[Neuron], None]) -> None:
    for neuron in (IAF, LIF, ALIF):
        register(neuron)


@hookimpl
def register_backends(register: Callable[[Backend], None]) -> None:
    register(
        Backend(
            name="definition",
            summary="any neuron as its reference defines it in plain torch: slow, taken by default if nothing else computes it",
            layer="harness_neurons.definition:layer",
            neurons=("*",),
            speed=0.0,
        )
    )
