"""What `compare.py` is made of: environments, workers, runs, and tables.

roster.py        which peers there are, and which tasks
environments.py  a virtual environment for each, around one shared PyTorch
pictures.py      the same pictures for all: a dataset, and a folder of PNG files
results.py       measurements on disk
runner.py        one measurement in its own process
protocol.py      the other side: what a worker is asked, and what it answers
loading.py, sampling.py   what several workers share
workers/         one script for each peer
machine.py       what the figures were taken on, and who else was busy
table.py         medians, paired ratios, markdown
"""
