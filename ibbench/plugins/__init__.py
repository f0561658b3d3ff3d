"""Models, sources, baselines and probes of users: found, loaded, and known by the content of their files.

A plugin is code that the user names, or has installed. Nothing here reads what a study says of the plugins it was
trained with: whoever names one trusts it, and a file that was downloaded names none.
"""
