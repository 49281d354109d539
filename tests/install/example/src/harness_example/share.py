"""The metric: collect over batches, give figures with unit, direction and kind."""

from harness import MetricValue


class Share:
    def start(self, model, context):
        self.first = self.total = 0

    def batch(self, view):
        counts = view.outputs.sum(1)
        self.first += int((counts.argmax(1) == 0).sum())
        self.total += len(counts)

    def merge(self, other):
        self.first += other.first
        self.total += other.total

    def result(self):
        return {
            "first_class_share": MetricValue(
                value=self.first / self.total,
                unit="fraction",
                direction="none",
                kind="seeded",
                title="predicted as first class",
                role="cost",
            )
        }
