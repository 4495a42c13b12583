"""The supervisor: starts the servers, the api and the workers, restarts them, stops them in order.

supervisor.py     the order of start and stop
lock.py           one supervisor per home; ends what a killed supervisor left
supervised.py     one supervised process: start, watch, restart
commands.py       the lines of the Procfile, each as a process
address.py        the address of the api, and whether it is ready
log_files.py      the log files of the processes
dev_file.py       dev.json: the addresses of the running service
demo_account.py   the account and the key of the first start
operator_key.py   the key of the operator
sample.py         the sample job
options.py        the options of the supervisor
"""
