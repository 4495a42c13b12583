"""One process that is the parent of the servers, the api and the workers.

supervisor.py   the order in which things start and stop
part.py         one of them: started, watched, restarted
command.py      a line of the Procfile as a process
dev_file.py     dev.json, where others find what runs
sample.py       the first job that a newcomer sees
"""
