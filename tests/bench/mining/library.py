"""Runs a Python library on a file of baskets: library.py NAME TARGET FILE SUPPORT SHARE CONFIDENCE [OUT].

Prints "count N" and "took WALL_S CPU_S": reading the file and mining it, without the start of Python and of the
library. SUPPORT counts baskets, SHARE is the same as a fraction, CONFIDENCE a percentage. Without OUT the library
need not list the sets, if it can do without."""
import os
import sys
import time

TIE = 1e-9  # taken from a confidence that is compared in floating point, where rules with just that one would be lost


def baskets_of(path):
    with open(path, encoding="ascii") as file:
        return [line.split() for line in file]


def write(out, patterns):
    """Lines as the other miners write them, from (items, support)."""
    with open(out, "w", encoding="ascii") as file:
        file.writelines(f"{' '.join(items)} ({support})\n" for items, support in patterns)


class Library:
    @staticmethod
    def cpu_s():
        return time.process_time()


class Pyfim(Library):
    def __init__(self):
        import fim
        self.mine = fim.eclat

    def __call__(self, target, path, support, share, confidence, out):
        letter = {"all": "s", "closed": "c", "maximal": "m", "rules": "r"}[target]
        options = {"target": letter, "supp": -support, "conf": confidence, "mode": "o" if target == "rules" else ""}
        if not out:
            return int(sum(self.mine(baskets_of(path), report="#", **options).values()))
        found = self.mine(baskets_of(path), report="a", **options)
        if target == "rules":
            found = [((head, "<-", *body), count) for head, body, count in found]
        write(out, found)
        return len(found)


class Mlxtend(Library):
    def __init__(self):
        import pandas
        from mlxtend import frequent_patterns
        from mlxtend.preprocessing import TransactionEncoder
        self.pandas, self.patterns, self.encoder = pandas, frequent_patterns, TransactionEncoder()

    def __call__(self, target, path, support, share, confidence, out):
        table = self.encoder.fit_transform(baskets_of(path), sparse=True)
        frame = self.pandas.DataFrame.sparse.from_spmatrix(table, columns=self.encoder.columns_)
        if target == "maximal":
            return len(self.patterns.fpmax(frame, min_support=share))
        sets = self.patterns.fpgrowth(frame, min_support=share)
        if target == "all":
            return len(sets)
        rules = self.patterns.association_rules(sets, metric="confidence", min_threshold=confidence / 100 - TIE)
        return int((rules["consequents"].map(len) == 1).sum())


class EfficientApriori(Library):
    def __init__(self):
        import efficient_apriori
        self.library = efficient_apriori

    def __call__(self, target, path, support, share, confidence, out):
        baskets = [tuple(b) for b in baskets_of(path)]
        if target == "all":
            sets, _ = self.library.itemsets_from_transactions(baskets, share, max_length=1000)
            return sum(map(len, sets.values()))
        _, rules = self.library.apriori(baskets, share, confidence / 100 - TIE, max_length=1000)
        return sum(len(rule.rhs) == 1 for rule in rules)


class Pyspark(Library):
    """Spark in one process beside Python, with one thread. A basket of a thousand items needs a deep stack."""

    def __init__(self):
        from pyspark.ml.fpm import FPGrowth
        from pyspark.sql import SparkSession, functions
        self.growth, self.functions = FPGrowth, functions
        self.session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false") \
            .config("spark.driver.memory", "6g").config("spark.driver.extraJavaOptions", "-Xss256m") \
            .config("spark.sql.shuffle.partitions", "1").getOrCreate()
        self.session.sparkContext.setLogLevel("ERROR")
        self.jvm = self.session.sparkContext._gateway.proc.pid

    def cpu_s(self):
        with open(f"/proc/{self.jvm}/stat", encoding="ascii") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return time.process_time() + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def __call__(self, target, path, support, share, confidence, out):
        lines = self.session.read.text(f"file://{path}")
        baskets = lines.select(self.functions.split(self.functions.trim(lines.value), " ").alias("items"))
        model = self.growth(itemsCol="items", minSupport=share).fit(baskets)
        return model.freqItemsets.count()


LIBRARIES = {"pyfim": Pyfim, "mlxtend": Mlxtend, "efficient_apriori": EfficientApriori, "pyspark": Pyspark}


def main(name, target, path, support, share, confidence, out=None):
    library = LIBRARIES[name]()
    wall, cpu = time.perf_counter(), library.cpu_s()
    count = library(target, path, int(support), float(share), int(confidence), out)
    print(f"count {count}\ntook {time.perf_counter() - wall:.6f} {library.cpu_s() - cpu:.6f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
