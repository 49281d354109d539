"""The neurons iaf, lif and alif, declared: the discrete-time models that backends compute.

The definition, one step, with a = exp(-1/tau): i <- a_syn (i + x), or i = x without tau_syn; u = (1 - a_mem) i under
norm_input, else i; v <- a_mem v + u; spikes from v against the threshold; reset; v <- max(v, v_min).
Source of the model: sinabs 3.1 (sinabs.layers.functional), whose step order this is.
"""

from collections.abc import Callable

from harness import Neuron, Parameter, hookimpl

SURROGATES = ("single-exponential",)


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


def _shared(*, norm_input: bool) -> tuple[Parameter, ...]:
    normalised = Parameter(
        name="norm_input", default=False, kind="bool", summary="scale the current by 1 - exp(-1/tau_mem)"
    )
    return (
        _tau("tau_syn", 1.0, "synaptic current (none: the current is the input)", optional=True),
        Parameter(name="threshold", default=1.0, kind="float", above=0, summary="membrane potential at a spike"),
        Parameter(name="v_min", default=0.0, kind="float", optional=True, summary="floor of the membrane potential"),
        Parameter(
            name="spikes",
            default="single",
            kind="str",
            choices=("single", "multi"),
            summary="at most one spike a step, or floor(v / threshold)",
        ),
        Parameter(
            name="surrogate",
            default="single-exponential",
            kind="str",
            choices=SURROGATES,
            summary="derivative that stands in for the step's",
        ),
        Parameter(name="surrogate_width", default=0.5, kind="float", above=0, summary="width of the surrogate"),
        Parameter(name="train_taus", default=False, kind="bool", summary="whether training moves the time constants"),
        *((normalised,) if norm_input else ()),
    )


IAF = Neuron(
    name="iaf",
    summary="integrate and fire: a membrane without leak",
    parameters=_shared(norm_input=False),
    presets={"tutorial": {"spikes": "single", "train_taus": True}},
)
LIF = Neuron(
    name="lif",
    summary="leaky integrate and fire",
    parameters=(_tau("tau_mem", 2.0, "membrane"), *_shared(norm_input=True)),
    presets={"tutorial": {"spikes": "multi", "norm_input": True, "train_taus": True}},
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
        *_shared(norm_input=True),
    ),
    presets={"tutorial": {"spikes": "single", "norm_input": True, "train_taus": True}},
)


@hookimpl
def register_neurons(register: Callable[[Neuron], None]) -> None:
    for neuron in (IAF, LIF, ALIF):
        register(neuron)
