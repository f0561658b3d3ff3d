"""Models, sources, baselines and probes of users: found, loaded, and known by the content of their files.

A plugin is code that the user names, or has installed. The plugins that a record of a study names are never loaded from
here: the user who names a plugin trusts it, but a study may have been downloaded.
"""
