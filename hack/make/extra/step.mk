# help: make bench-step               time of one plan, with 1 and with 4 forecast metrics

bench-step: $(O)/bench/bench_step
	$<

.PHONY: bench-step
