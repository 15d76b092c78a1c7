"""The parts of hack/demo: twins (what is built and measured), view (terminal), plot (SVG)."""
