"""The process that starts the servers, the api and the workers, restarts what dies, and stops them in order.

supervisor.py     the order in which things start and stop
lock.py           one supervisor for a home, and what a killed one left behind
supervised.py     one of the processes: started, watched, restarted
commands.py       the lines of the Procfile, each as a process
address.py        where the api listens, and whether it is ready
log_files.py      the log files of the processes
dev_file.py       dev.json: where others find what runs
demo_account.py   the account and the key of the first start
sample.py         the first job that a new user sees
options.py        what to supervise, and how
"""
